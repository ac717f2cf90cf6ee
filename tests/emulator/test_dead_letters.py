"""What cannot be processed ends as a dead letter with its bytes, and goes on once it can."""

from __future__ import annotations

import json

import pytest

from tests.emulator.harness import Harness


async def test_a_stage_that_always_fails_is_buried_then_redriven_to_success(
    system: Harness,
) -> None:
    """Deliveries exhausted: the broker gives up, the run fails; the fix needs no finished step."""
    await system.fault("500", prompt="test/last")
    event_id = await system.publish("test.pair", {"case": "always-fails"})
    failed = await system.only_run(event_id, seconds=120)
    letter = await system.letter(run_id=failed["run_id"])
    await system.no_faults()
    await system.forget_calls()

    code, out, err = await system.segue("dead-letters", "redrive", letter.letter_id, "--json")
    assert code == 0, err

    async def continued() -> dict[str, object] | None:
        run = await system.only_run(event_id)
        return run if run["status"] == "succeeded" else None

    run = await system.eventually(continued, "the redriven run to succeed")
    assert failed["status"] == "failed"
    assert failed["steps"]["first"]["status"] == "succeeded"
    assert letter.error.code == "DeliveriesExhausted"
    assert "500" in letter.error.message
    assert letter.data is not None
    assert json.loads(letter.data)["step"] == "second"
    assert json.loads(out)[0]["steps"] == ["second"]
    assert run["steps"]["first"] == failed["steps"]["first"]
    assert run["redrives"] == 1
    assert await system.model_calls() == 1
    assert await system.letters(run_id=run["run_id"], status="open") == []


async def test_a_blocked_answer_fails_the_run_at_once_with_its_reason(system: Harness) -> None:
    await system.fault("blocked", prompt="test/echo", contains="case-blocked")
    event_id = await system.publish("test.pair", {"case": "case-blocked"})
    run = await system.only_run(event_id)
    letter = await system.letter(run_id=run["run_id"])
    await system.no_faults()

    assert run["status"] == "failed"
    assert run["error"]["code"] == letter.error.code == "ModelRefused"
    assert run["steps"]["first"]["attempts"] == 1
    assert run["steps"]["first"]["llm_calls"] == 1


async def test_an_answer_that_never_fits_is_repaired_once_then_kept(system: Harness) -> None:
    await system.fault("not-json", prompt="support/classify")
    ticket = {"id": "T-unfit", "from": "a@example.com", "body": "unfit-marker"}
    run = await system.only_run(await system.publish("support.ticket.created", ticket))
    await system.no_faults()

    assert run["status"] == "failed"
    assert run["error"]["code"] == "OutputInvalid"
    assert len(run["steps"]["classify"]["answers"]) == 2
    assert run["steps"]["classify"]["llm_calls"] == 2


@pytest.mark.parametrize("topic", ["compose", "generate", "act"])
async def test_an_undecodable_message_is_kept_with_reason_and_bytes(
    topic: str, system: Harness
) -> None:
    data = b"\xff\x00not an envelope for " + topic.encode()
    await system.publish_raw(topic, data, {"who": "stranger"})
    letter = await system.letter(stage=topic, size=len(data))

    assert letter.error.code == "MessageInvalid"
    assert letter.data == data
    assert letter.attributes == {"who": "stranger"}


async def test_an_event_without_a_type_is_kept(system: Harness) -> None:
    await system.publish_raw("events", b'{"a": 1}', {"ce-id": "typeless", "colour": "red"})
    letter = await system.letter(stage="route", size=8)

    assert letter.error.code == "EventInvalid"
    assert letter.attributes["colour"] == "red"


async def test_a_message_of_nearly_10_mb_is_kept_whole(system: Harness) -> None:
    data = json.dumps({"blob": "x" * 9_900_000}).encode()
    await system.publish_raw("events", data, {"ce-type": "test.pair", "ce-id": "ten-mb"})
    letter = await system.letter(stage="route", size=len(data), seconds=120)

    assert letter.error.code == "EventTooLarge"
    assert letter.blob is not None
    assert await system.deps.blobs.get(letter.blob) == data


async def test_a_document_over_1_mib_fails_the_run_clearly(system: Harness) -> None:
    run = await system.only_run(await system.publish("test.oversized", {}))

    assert run["status"] == "failed"
    assert run["error"]["code"] == "RecordTooLarge"
    assert run["steps"]["write"]["attempts"] == 1


async def test_data_that_breaks_the_input_schema_goes_on_after_the_fix(system: Harness) -> None:
    flow = system.prompts / "flows/joke.yaml"
    original = flow.read_text("utf-8")
    event_id = await system.publish("joke.requested", {"topic": "x" * 201})
    failed = await system.only_run(event_id)
    letter = await system.letter(run_id=failed["run_id"])
    flow.write_text(original.replace("maxLength: 200", "maxLength: 400"), "utf-8")
    code, _, err = await system.segue("dead-letters", "redrive", letter.letter_id)
    assert code == 0, err

    async def continued() -> dict[str, object] | None:
        run = await system.only_run(event_id)
        return run if run["status"] == "succeeded" else None

    run = await system.eventually(continued, "the redriven event to run")
    assert run["run_id"] == failed["run_id"]
    flow.write_text(original, "utf-8")
    assert failed["error"]["code"] == letter.error.code == "InputInvalid"
