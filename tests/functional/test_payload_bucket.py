"""With a bucket, what exceeds one document is one object: prompts, dead letters, their expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.domain.envelope import decode
from shared.errors import BusUnavailableError, EventTooLargeError, ObjectsUnavailableError
from shared.ports import Document, Near, Nearest, Put, Query, Write, Written
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.pipeline import Crash
from tests.functional.system import EVENT, System, flow, prompt

TEXT = "z" * 400_000
BIG = prompt("big", "{{ event.data.text * 5 }}")  # 2 MB
FLOW = flow("a: {prompt: big}", BIG)
LETTER = b"{" * 5_000_000  # too large for an event


@dataclass
class DiesBeforeHeads:
    """Ends the process that is about to write the head of a blob, once."""

    store: MemoryStore
    died: bool = False

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        heads = [w for w in writes if isinstance(w, Put) and w.path.startswith("blobs/")]
        if heads and not self.died:
            self.died = True
            raise Crash
        return await self.store.commit(writes)

    async def get(self, path: str) -> Document | None:
        return await self.store.get(path)

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        return await self.store.get_many(paths)

    async def find(self, query: Query) -> list[Document]:
        return await self.store.find(query)

    async def count(self, query: Query) -> int:
        return await self.store.count(query)

    async def nearest(self, query: Nearest) -> list[Near]:
        return await self.store.nearest(query)


def system_with(bucket: str | None = "payloads", **about: object) -> System:
    model = ScriptedModel(default="ok")
    return System([FLOW], model=model, payload_bucket=bucket, **about)  # type: ignore[arg-type]


def pieces(system: System) -> list[str]:
    return [path for path in system.world.documents.documents if "/pieces/" in path]


async def assert_answered_once(system: System) -> None:
    assert (await system.report())["status"] == "succeeded"
    assert isinstance(system.model, ScriptedModel)
    [request] = system.model.calls
    assert request.messages[0][1] == TEXT * 5


async def tick(system: System) -> None:
    await system.send("sweep", b"", {})
    await system.pipeline.step("sweep")


async def test_a_large_prompt_is_one_object_and_the_model_gets_all_of_it():
    system = system_with()
    await system.start({"text": TEXT})
    await assert_answered_once(system)
    [(bucket, name)] = system.world.objects.content
    [message] = [m for topic, _, m in system.world.messages.published if topic == "generate"]
    assert (bucket, name) == ("payloads", f"2026-01-31/{decode(message).task.blob}")
    assert pieces(system) == []
    assert system.world.objects.calls == {"put": 1, "get": 1}


async def test_without_a_bucket_a_large_prompt_stays_in_the_store():
    system = system_with(None)
    await system.start({"text": TEXT})
    await assert_answered_once(system)
    assert len(pieces(system)) == 3
    assert system.world.objects.calls == {}


async def test_a_crash_between_object_and_head_leaves_one_object_and_one_answer():
    system = system_with(store=DiesBeforeHeads)
    await system.start({"text": TEXT})
    await assert_answered_once(system)
    assert system.pipeline.deliveries["compose"] == 2
    assert len(system.world.objects.content) == 1


async def test_a_prompt_composed_again_is_the_same_object():
    system = system_with()
    publish, refusals = system.world.messages.publish, [BusUnavailableError("down")]

    async def refusing(topic, messages):
        if topic == "generate" and refusals:
            raise refusals.pop()
        return await publish(topic, messages)

    system.world.messages.publish = refusing
    await system.start({"text": TEXT})
    await assert_answered_once(system)
    assert system.world.objects.calls == {"put": 2, "get": 1}
    assert len(system.world.objects.content) == 1


@pytest.mark.parametrize("stage", ["compose", "generate"])
async def test_a_bucket_that_is_away_nacks(stage: str):
    system = system_with()
    await system.publish(EVENT, {"text": TEXT})
    await system.pipeline.step("route")
    if stage == "generate":
        await system.pipeline.step("compose")
    system.world.objects.errors.append(ObjectsUnavailableError("503"))
    await system.pipeline.step(stage)
    report = system.world.telemetry.reports[-1]
    assert (report.stage, report.disposition) == (stage, "nack")
    assert report.error.code == "ObjectsUnavailable"
    await system.run()
    await assert_answered_once(system)


async def test_a_prompt_whose_object_is_gone_fails_clearly():
    system = system_with()
    await system.publish(EVENT, {"text": TEXT})
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    system.world.objects.content.clear()
    await system.run()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "PayloadMissing")
    assert "gs://payloads/2026-01-31/" in report["error"]["message"]


async def test_a_large_letter_is_one_object_with_its_bytes():
    system = system_with()
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.run()
    letter = system.letter()
    assert (letter.error.code, letter.data, letter.size) == ("EventTooLarge", None, len(LETTER))
    assert system.world.objects.content == {("payloads", f"2026-01-31/{letter.blob}"): LETTER}
    assert await system.pipeline.deps("bury").blobs.get(letter.blob) == LETTER


async def test_a_letter_too_large_to_be_sent_with_its_reason_is_one_object_all_the_way():
    system = system_with()
    publish = system.world.messages.publish

    async def refusing(topic, messages):
        if topic.endswith("-dead") and messages[0].data:
            raise EventTooLargeError("it does not fit beside its reason")
        return await publish(topic, messages)

    system.world.messages.publish = refusing
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.run()
    assert (system.letter().size, system.letter().error.code) == (len(LETTER), "EventTooLarge")
    assert list(system.world.objects.content.values()) == [LETTER]
    assert system.world.objects.calls == {"put": 2, "get": 1}


async def test_a_bucket_that_is_away_keeps_a_letter_waiting():
    system = system_with()
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.pipeline.step("route")
    system.world.objects.errors.append(ObjectsUnavailableError("503"))
    await system.pipeline.step("bury")
    assert system.letters() == []
    await system.run()
    assert system.letter().size == len(LETTER)


async def test_a_letter_is_redriven_from_its_object():
    system = system_with()
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.run()
    await system.redrive()
    sent = [m.data for topic, _, m in system.world.messages.published if topic == "events"]
    assert sent == [LETTER, LETTER]


async def test_objects_of_expired_heads_are_deleted():
    system = system_with()
    await system.start({"text": TEXT})
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.run()
    system.world.clock.advance(timedelta(days=29))
    await tick(system)
    assert len(system.world.objects.content) == 2
    system.world.clock.advance(timedelta(days=2))
    await tick(system)
    assert system.world.objects.content == {}
    assert {path.split("/")[0] for path in system.world.documents.documents} == {"flows"}


async def test_a_bucket_that_is_away_delays_only_what_is_in_it():
    system = system_with()
    await system.start({"text": TEXT})
    system.world.clock.advance(timedelta(days=31))
    system.world.objects.errors.append(ObjectsUnavailableError("503"))
    await tick(system)
    left = {path.split("/")[0] for path in system.world.documents.documents}
    assert left == {"flows", "blobs"}
    await system.run()
    assert system.world.objects.content == {}
    assert system.letters() == []


async def test_one_object_that_cannot_be_deleted_does_not_keep_the_others():
    system = system_with()
    await system.start({"text": TEXT})
    await system.send("events", LETTER, {"ce-type": EVENT})
    await system.run()
    system.world.clock.advance(timedelta(days=31))
    system.world.objects.errors.append(ObjectsUnavailableError("403"))
    await tick(system)
    assert len(system.world.objects.content) == 1
    assert system.world.telemetry.reports[-1].disposition == "nack"


async def test_a_prompt_beyond_the_limit_fails_clearly_with_and_without_a_bucket():
    """The model is asked nothing, and nothing is stored of it."""
    many = prompt("many", "{{ event.data.text * 26 }}")
    for bucket in (None, "payloads"):
        system = System([flow("a: {prompt: many}", many)], payload_bucket=bucket)
        await system.start({"text": TEXT})
        report = await system.report()
        assert (report["status"], report["error"]["code"]) == ("failed", "Template")
        assert "bytes; the limit is 10,000,000" in report["error"]["message"]
        assert not any(path.startswith("blobs/") for path in system.world.documents.documents)
        assert system.world.objects.calls == {}
