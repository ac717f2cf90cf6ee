"""Messages and events that cannot be read end as dead letters, at once and with their bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from shared.domain.envelope import ActTask, Envelope, RunPins
from shared.domain.records import EventRecord
from shared.ports import Write, Written
from shared.testing.memory import MemoryStore
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

GOOD = "a: {call: test.count, with: {name: a}}"


def only_letter(system: System, stage: str, code: str, data: bytes) -> str:
    """Checks the only letter; returns its reason."""
    letter = system.letter()
    assert (letter.stage, letter.error.code, letter.data) == (stage, code, data)
    assert (letter.size, letter.status, letter.redrives) == (len(data), "open", 0)
    assert system.pipeline.deliveries[stage] == 1
    return letter.error.message


@pytest.mark.parametrize("stage", ["compose", "generate", "act"])
@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"{", b"[]", b'{"v":1}', b'{"v":2}', b"null"])
async def test_what_a_stage_cannot_decode_is_buried_at_once(stage: str, data: bytes):
    system = System([flow(GOOD)])
    await system.send(stage, data, {"x": "y"})
    await system.start()
    letter = system.letter()
    assert (letter.stage, letter.error.code, letter.data) == (stage, "MessageInvalid", data)
    assert letter.attributes == {"x": "y"}
    assert "Publish events to the entry topic" in letter.error.message
    assert system.pipeline.deliveries[stage] == (2 if stage == "act" else 1)
    assert (await system.report())["status"] == "succeeded"


async def test_a_message_of_a_flow_nobody_knows_is_buried():
    pins = {"version": "0" * 16, "revision": "1", "event_key": "e", "event_id": "e"}
    run = RunPins(id="gone-1", flow="gone", correlation_id="c", **pins)
    envelope = Envelope(id="m1", cause="e", run=run, step="a", task=ActTask())
    system = System([flow(GOOD)])
    await system.send("act", envelope.encode(), {})
    await system.run()
    reason = only_letter(system, "act", "VersionMissing", envelope.encode())
    assert "flow 'gone', version 0000000000000000" in reason
    assert calls.SEEN == {}


@pytest.mark.parametrize(
    ("attributes", "data", "told"),
    [
        ({}, b"{}", "the event has no type"),
        ({"ce-type": ""}, b"{}", "the event has no type"),
        ({"ce-type": "a b"}, b"{}", "`type`"),
        ({"ce-type": EVENT, "ce-time": "yesterday"}, b"{}", "`time`"),
        ({"ce-type": EVENT, "ce-id": "x" * 1025}, b"{}", "`id`"),
        ({"ce-type": EVENT}, b"{not json", "the data is not JSON"),
        ({"ce-type": EVENT}, b"\xff\xfe", "the data is not JSON"),
        ({"ce-type": EVENT}, b'{"a": NaN}', "the data is not JSON"),
        ({"ce-type": EVENT}, b'{"a": "\\ud800"}', "the data is not JSON"),
        ({"ce-type": EVENT}, b"[" * 100_000, "the data is not JSON"),
        ({"ce-type": EVENT}, b"[" * 300 + b"]" * 300, ""),
        ({"content-type": "application/cloudevents+json"}, b"[]", "is a JSON object"),
        ({"content-type": "application/cloudevents+json"}, b'{"data_base64": ""}', "binary data"),
        ({f"x{n}": "1" for n in range(81)} | {"ce-type": EVENT}, b"{}", "extension attributes"),
    ],
)
async def test_an_event_that_cannot_be_read_is_buried_at_once(
    attributes: dict[str, str], data: bytes, told: str
):
    system = System([flow(GOOD)])
    await system.send("events", data, attributes)
    await system.run()
    assert told in only_letter(system, "route", "EventInvalid", data)
    assert system.letter().attributes == attributes
    assert system.run_ids() == []
    assert system.stored("events", EventRecord) == []


async def test_one_bad_event_leaves_the_others_alone():
    system = System([flow(GOOD)])
    await system.send("events", b"{", {"ce-type": EVENT})
    for _ in range(5):
        await system.publish(EVENT)
    await system.run()
    assert len(system.run_ids()) == 5
    assert calls.SEEN == {"a": 5}
    assert len(system.letters()) == 1


class NoLetters:
    """A store that keeps no dead letters."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.get, self.get_many, self.find = store.get, store.get_many, store.find

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        if any(write.path.startswith("dead_letters/") for write in writes):
            raise RuntimeError("no room")
        return await self._store.commit(writes)


async def test_an_event_cannot_pretend_to_be_a_message_of_a_run():
    """Anybody may publish events: one that is buried must not take somebody's run with it."""
    system = System([flow("a: {call: test.count, with: {name: a}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [waiting] = system.pipeline.collect()
    await system.send("events", waiting.message.data, {"x": "an envelope, and no event type"})
    forged = {name: text for name, text in waiting.message.attributes.items() if "segue" in name}
    await system.send("events", b"{", forged)
    while await system.pipeline.step("route") or await system.pipeline.step("bury"):
        pass
    assert len(system.letters()) == 2
    assert (await system.report())["status"] == "running"
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_a_message_that_even_bury_cannot_take_is_parked_after_its_deliveries():
    system = System([flow(GOOD)], store=NoLetters)
    await system.send("events", b"{", {"ce-type": EVENT})
    await system.run()
    [parked] = system.pipeline.parked
    assert parked.data == b"{"
    assert system.pipeline.deliveries["bury"] == 100


async def test_a_structured_event_runs_like_any_other():
    system = System([flow("a: {call: test.echo, with: {value: '{{ event.data.n }}'}}")])
    body = {"specversion": "1.0", "id": "s1", "type": EVENT, "source": "/s", "data": {"n": 4}}
    await system.send("events", json.dumps(body).encode(), {})
    await system.run()
    report = await system.report()
    assert report["event"] == {"id": "s1", "type": EVENT}
    assert report["steps"]["a"]["output"] == 4


async def test_plain_attributes_are_an_event_too():
    system = System([flow(GOOD)])
    await system.send("events", b"null", {"type": EVENT, "id": "p1", "source": "/p"})
    await system.run()
    assert (await system.report())["event"] == {"id": "p1", "type": EVENT}


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"message": 5}', b"\xff"])
async def test_what_is_no_push_request_is_refused_and_nothing_is_kept(body: bytes):
    system = System([flow(GOOD)])
    assert await system.push("route", body) == 400
    assert system.world.documents.documents == {}
    [(severity, message, _)] = system.world.telemetry.lines
    assert severity == "ERROR"
    assert "not a Pub/Sub push request" in message
