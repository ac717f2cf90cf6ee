"""The public doubles keep their promises to those who test with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.envelope import Message, ModelRequest
from shared.errors import (
    AlreadyExistsError,
    ModelBusyError,
)
from shared.ports import Create, Increment, Query
from shared.testing.memory import (
    ManualClock,
    MemoryBus,
    MemoryStore,
    RecordingTelemetry,
    ScriptedModel,
)


def ask(prompt: str = "a") -> ModelRequest:
    labels = {"segue-prompt": prompt}
    return ModelRequest(model="m", messages=(("user", "Hello"),), labels=labels)


async def test_the_store_counts_reads_writes_and_commits() -> None:
    store = MemoryStore()
    await store.commit([Create("a/1", {"n": 1}), Create("a/2", {"n": 2})])
    with pytest.raises(AlreadyExistsError):
        await store.commit([Create("a/1", {})])
    await store.get("a/1")
    await store.find(Query("a"))
    assert store.writes == {"a/1": 1, "a/2": 1}
    assert store.reads == {"a/1": 2, "a/2": 1}
    assert store.commits == 1
    store.reset_counts()
    assert (store.commits, store.reads.total(), store.writes.total()) == (0, 0, 0)


async def test_revisions_grow() -> None:
    store = MemoryStore()
    revisions = [(await store.commit([Increment("a/1", {"n": 1})]))[0].revision for _ in range(12)]
    assert revisions == sorted(set(revisions))


async def test_the_bus_hands_out_each_message_once() -> None:
    bus = MemoryBus()
    await bus.publish("act", [Message(b"1"), Message(b"2")])
    await bus.publish("events", [Message(b"3")])
    assert bus.waiting() == ["act", "events"]
    assert bus.take("act") == [("1", Message(b"1")), ("2", Message(b"2"))]
    assert bus.take("act") == []
    assert [topic for topic, _, _ in bus.published] == ["act", "act", "events"]


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ("one", ["one", "one"]),
        ({"a": "ü"}, ['{"a": "ü"}'] * 2),
        (["one", {"n": 2}, "three"], ["one", '{"n": 2}', "three", "three"]),
        (lambda request: request.model, ["m"]),
    ],
)
async def test_a_model_answers_as_scripted(answer: Any, texts: list[str]) -> None:
    model = ScriptedModel({"a": answer}, default="other")
    assert [(await model.generate(ask(), seconds=1)).text for _ in texts] == texts
    assert (await model.generate(ask("b"), seconds=1)).text == "other"
    assert model.calls_by_prompt == {"a": len(texts), "b": 1}
    assert len(model.calls) == len(texts) + 1


async def test_a_model_raises_scripted_errors_in_turn() -> None:
    model = ScriptedModel({"a": [ModelBusyError("once"), "then"]})
    with pytest.raises(ModelBusyError):
        await model.generate(ask(), seconds=1)
    assert (await model.generate(ask(), seconds=1)).text == "then"


async def test_equal_requests_cost_the_same() -> None:
    model = ScriptedModel()
    first, second = [await model.generate(ask(), seconds=1) for _ in range(2)]
    assert first == second
    assert model.cost("m", first.tokens) == model.cost("m", second.tokens)


def test_a_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 1, 500_000, tzinfo=UTC)


def test_lines_are_kept() -> None:
    telemetry = RecordingTelemetry()
    telemetry.log("INFO", "said", trace_id="t", flow="f")
    assert telemetry.lines == [("INFO", "said", {"trace_id": "t", "flow": "f"})]
