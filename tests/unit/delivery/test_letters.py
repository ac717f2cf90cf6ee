"""Dead letters: what a message says about itself is kept, and what it stopped is failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.delivery.deps import Deps
from shared.delivery.letters.keeping import Letter, keep, letter_of
from shared.delivery.scope import FROM_STAGE, MESSAGE_ID, PUBLISHED, REASON, REASON_CODE
from shared.domain.chain import StepStatus
from shared.domain.envelope import Delivery
from shared.domain.events import REDRIVE
from shared.domain.records import (
    Attempt,
    DeadLetterRecord,
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    dead_letter_path,
    run_path,
    step_path,
)
from shared.domain.stages import Stage
from shared.domain.starts.schedules import tick_attributes
from shared.ports import Create
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World

Deliver = Callable[..., Delivery]
TOLD = {FROM_STAGE: "act", REASON_CODE: "ActionFailed", REASON: "no such user"}
_SOURCE = "CloudPubSubDeadLetterSource"
GIVEN_UP = {f"{_SOURCE}DeliveryCount": "20", f"{_SOURCE}Subscription": "segue-act"}


@pytest.fixture
def stage() -> Stage:
    return read_stages().stages["bury"]


async def store_run(
    deps: Deps, status: RunStatus = RunStatus.RUNNING, *, redrives: int = 0
) -> None:
    run = RunRecord(
        run_id="run-1",
        flow="f",
        flow_version="v",
        status=status,
        correlation_id="story-1",
        event_key="event-1",
        event_id="event-1",
        event_type="t",
        traceparent="",
        opened_by="m",
        created_at=deps.clock.now(),
        redrives=redrives,
        deadline=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
    await deps.store.commit([Create(run_path("run-1"), run.document())])


async def store_step(deps: Deps, status: StepStatus, *attempts: Attempt) -> None:
    step = StepRecord(
        run_id="run-1",
        flow="f",
        step="first",
        stage="act",
        status=status,
        owner="somebody",
        attempts=list(attempts),
        output={"text": "done"},
        expire_at=deps.expire_at(),
    )
    await deps.store.commit([Create(step_path("run-1", "first"), step.document())])


async def stored(deps: Deps, path: str) -> dict[str, Any]:
    found = await deps.store.get(path)
    assert found is not None
    return dict(found.data)


async def kept(deps: Deps, letter: Letter) -> DeadLetterRecord:
    await keep(letter, deps)
    return DeadLetterRecord.of(await stored(deps, dead_letter_path(letter.record.letter_id)))


async def test_a_letter_tells_what_the_stage_said(deps: Deps, delivered: Deliver) -> None:
    letter = await letter_of(delivered(attributes={**TOLD, "tenant": "acme"}), deps)
    record = letter.record
    assert (record.stage, record.run_id, record.flow, record.step) == ("act", "run-1", "f", "first")
    assert record.error == Failure(code="ActionFailed", message="no such user", step="first")
    assert record.correlation_id == "story-1"
    assert record.attributes == {"tenant": "acme"}


async def test_a_letter_the_broker_gave_up_tells_the_last_error(
    deps: Deps, delivered: Deliver
) -> None:
    busy = Failure(code="ModelBusy", message="the model was busy")
    attempts = [
        Attempt(n=1, started_at=deps.clock.now(), error=Failure(code="x", message="earlier")),
        Attempt(n=2, started_at=deps.clock.now(), error=busy),
        Attempt(n=3, started_at=deps.clock.now()),
    ]
    await store_step(deps, StepStatus.PENDING, *attempts)
    letter = await letter_of(delivered(attributes=GIVEN_UP, subscription="segue-act-dead"), deps)
    assert letter.record.stage == "act"
    assert letter.record.deliveries == 20
    assert letter.record.error.code == "DeliveriesExhausted"
    assert "20 deliveries; the last attempt: the model was busy" in letter.record.error.message
    assert letter.record.attributes == {}


@pytest.mark.parametrize(
    ("published", "kept_id"),
    [
        ("2026-03-01T09:00:00.123+00:00", "nightly@2026-03-01T09:00Z"),
        ("2026-03-01T09:00:59Z", "nightly@2026-03-01T09:00Z"),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:00", None),
        (None, None),
    ],
)
async def test_a_tick_that_the_broker_gave_up_keeps_the_id_it_was_given(
    deps: Deps, delivered: Deliver, published: str | None, kept_id: str | None
) -> None:
    told = {} if published is None else {f"{_SOURCE}TopicPublishTime": published}
    attributes = {**tick_attributes("nightly"), **GIVEN_UP, **told}
    letter = await letter_of(delivered(b"{}", attributes, subscription="segue-route-dead"), deps)
    assert letter.record.attributes.get("ce-id") == kept_id
    assert letter.record.attributes.keys() - {"ce-id"} == tick_attributes("nightly").keys()


@pytest.mark.parametrize("subscription", ["segue-act-dead", "my-own-prefix-act-dead"])
async def test_the_stage_is_read_from_the_subscription(
    deps: Deps, delivered: Deliver, subscription: str
) -> None:
    letter = await letter_of(delivered(b"poison", subscription=subscription), deps)
    assert letter.record.stage == "act"


async def test_a_message_that_nobody_can_read_is_kept_all_the_same(
    deps: Deps, world: World, delivered: Deliver
) -> None:
    letter = await letter_of(
        delivered(b"\xff\x00poison", {**TOLD, "correlationid": "story-9"}), deps
    )
    record = await kept(deps, letter)
    assert record.data == b"\xff\x00poison"
    assert (record.run_id, record.step, record.correlation_id) == (None, None, "story-9")
    assert list(world.documents.documents) == [dead_letter_path(record.letter_id)]


async def test_the_same_message_buried_twice_is_one_letter(
    deps: Deps, world: World, delivered: Deliver
) -> None:
    first = await letter_of(delivered(b"poison", TOLD, message_id="m-1"), deps)
    second = await letter_of(delivered(b"poison", TOLD, message_id="m-2"), deps)
    await keep(first, deps)
    await keep(second, deps)
    assert len(world.documents.documents) == 1


async def test_what_its_stage_and_then_the_broker_bury_is_one_letter(
    deps: Deps, world: World, delivered: Deliver
) -> None:
    """Nobody had heard that the stage had done so."""
    about = {MESSAGE_ID: "m-1", PUBLISHED: "2026-03-01T09:00:00.123456+00:00"}
    by_stage = delivered(b"poison", {**TOLD, **about})
    given_up = {**GIVEN_UP, f"{_SOURCE}TopicPublishTime": "2026-03-01T09:00:00.123Z"}
    by_broker = delivered(b"poison", given_up, subscription="segue-act-dead")
    later = {**TOLD, **about, PUBLISHED: "2026-03-01T09:00:00.124Z"}
    for delivery, letters in ((by_stage, 1), (by_broker, 1), (delivered(b"poison", later), 2)):
        await keep(await letter_of(delivery, deps), deps)
        assert len(world.documents.documents) == letters


@pytest.mark.parametrize(
    ("data", "attributes"),
    [(b"other", TOLD), (b"poison", {**TOLD, "a": "b"}), (b"poison", {**TOLD, REDRIVE: "1"})],
)
async def test_another_message_or_redrive_is_another_letter(
    deps: Deps, delivered: Deliver, data: bytes, attributes: dict[str, str]
) -> None:
    one = await letter_of(delivered(b"poison", TOLD), deps)
    other = await letter_of(delivered(data, attributes), deps)
    assert one.record.letter_id != other.record.letter_id


async def test_a_letter_too_large_for_its_document_is_kept_as_a_blob(
    deps: Deps, delivered: Deliver
) -> None:
    data = b"x" * (600 * 1024)
    record = await kept(deps, await letter_of(delivered(data, TOLD), deps))
    assert (record.data, record.size) == (None, len(data))
    assert record.blob is not None
    assert await deps.blobs.get(record.blob) == data


@pytest.mark.parametrize("status", [StepStatus.RUNNING, StepStatus.PENDING, None])
async def test_what_the_letter_stopped_is_failed(
    deps: Deps, delivered: Deliver, status: StepStatus | None
) -> None:
    await store_run(deps)
    if status is not None:
        await store_step(deps, status)
    record = await kept(deps, await letter_of(delivered(attributes=TOLD), deps))
    step = StepRecord.of(await stored(deps, step_path("run-1", "first")))
    run = RunRecord.of(await stored(deps, run_path("run-1")))
    assert (step.status, step.error, step.owner) == (StepStatus.FAILED, record.error, "")
    assert (run.status, run.error, run.deadline) == (RunStatus.FAILED, record.error, None)


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_final])
async def test_a_run_that_has_ended_stays_as_it_is(
    deps: Deps, delivered: Deliver, status: RunStatus
) -> None:
    await store_run(deps, status)
    before = await stored(deps, run_path("run-1"))
    await kept(deps, await letter_of(delivered(attributes=TOLD), deps))
    assert await stored(deps, run_path("run-1")) == before


@pytest.mark.parametrize(("redrives", "status"), [(0, "open"), (1, "open"), (2, "redriven")])
async def test_a_letter_that_comes_after_the_next_redrive_is_not_open(
    deps: Deps, delivered: Deliver, redrives: int, status: str
) -> None:
    await store_run(deps, redrives=redrives)
    letter = await letter_of(delivered(attributes={**TOLD, REDRIVE: "1"}), deps)
    assert (await kept(deps, letter)).status == status
    assert (await kept(deps, letter)).status == status


async def test_a_finished_step_keeps_its_result_and_its_run_still_fails(
    deps: Deps, delivered: Deliver
) -> None:
    await store_run(deps)
    await store_step(deps, StepStatus.SUCCEEDED)
    await kept(deps, await letter_of(delivered(attributes=TOLD), deps))
    step = StepRecord.of(await stored(deps, step_path("run-1", "first")))
    assert (step.status, step.output) == (StepStatus.SUCCEEDED, {"text": "done"})
    assert RunRecord.of(await stored(deps, run_path("run-1"))).status is RunStatus.FAILED


async def test_keeping_a_letter_twice_changes_nothing(
    deps: Deps, world: World, delivered: Deliver
) -> None:
    await store_run(deps)
    letter = await letter_of(delivered(attributes=TOLD), deps)
    await keep(letter, deps)
    before = dict(world.documents.documents)
    await keep(letter, deps)
    assert world.documents.documents == before
