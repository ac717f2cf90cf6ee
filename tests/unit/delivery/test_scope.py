"""The run a message belongs to: what its own messages carry, and which variables a step sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.delivery.deps import Deps
from shared.delivery.scope import (
    REASON,
    REASON_CODE,
    Scope,
    dead_letter,
    load,
    scope_of,
    trace_of,
    variables_at,
    variables_of,
)
from shared.domain import ids
from shared.domain.chain import StepStatus
from shared.domain.envelope import Context, Delivery, Envelope, Message, decode
from shared.domain.events import REDRIVE, from_message
from shared.domain.flow import END
from shared.domain.records import EventRecord, Failure, StepRecord, event_path, step_path
from shared.domain.version import FlowVersion
from shared.errors import PayloadMissingError
from shared.ports import Create
from shared.testing.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def scope(envelope: Envelope, version: FlowVersion) -> Scope:
    attributes = {"traceparent": TRACE, "tenant": "acme", REDRIVE: "2", "segue-run": "x"}
    return scope_of(envelope, Message(b"", attributes), version, "1" * 16)


async def finish(store: MemoryStore, step: str, output: Any, status: str = "succeeded") -> None:
    record = StepRecord(
        run_id="run-1",
        flow="f",
        step=step,
        stage="act",
        status=StepStatus(status),
        output=output,
        expire_at=NOW,
    )
    await store.commit([Create(step_path("run-1", step), record.document())])


async def store_event(store: MemoryStore) -> None:
    event = from_message({"type": "t", "id": "event-1"}, b"[1]", message_id="m", published_at=NOW)
    record = EventRecord(
        event=event.model_dump(mode="json"),
        type="t",
        source="s",
        correlation_id="c",
        time=NOW,
        stored_at=NOW,
        message_id="m",
        expire_at=NOW,
    )
    await store.commit([Create(event_path("event-1"), record.document())])


def test_a_hand_over_is_the_same_message_every_time(scope: Scope) -> None:
    values = {"first": {"text": "x"}}
    assert scope.hand_over("second", values) == scope.hand_over("second", values)


def test_a_message_carries_its_story_and_what_segue_does_not_know(scope: Scope) -> None:
    topic, message = scope.hand_over("second", {})
    envelope = decode(message)
    assert topic == "act"
    assert envelope.id == ids.message_id("run-1", "second", "act")
    assert envelope.cause == "message-1"
    assert dict(message.attributes) == {
        "tenant": "acme",
        REDRIVE: "2",
        "content-type": "application/json",
        "correlationid": "story-1",
        "traceparent": f"00-{TRACE.split('-')[1]}-{'1' * 16}-01",
        "segue-id": envelope.id,
        "segue-flow": "f",
        "segue-run": "run-1",
        "segue-step": "second",
    }


def test_only_what_is_wanted_from_there_on_travels(scope: Scope) -> None:
    _, message = scope.hand_over("second", {"first": {"text": "x"}, "event": {"data": 1}})
    assert decode(message).context == Context(inline={"first": {"text": "x"}})


@pytest.mark.parametrize("attributes", [{}, {"traceparent": "garbage"}])
def test_a_message_without_a_trace_starts_its_correlations(attributes: dict[str, str]) -> None:
    trace = trace_of(Message(b"", attributes), "story-1")
    assert trace.trace_id == ids.trace_id("story-1")
    assert trace == trace_of(Message(b"", attributes), "story-1")


def test_a_dead_letter_is_the_same_bytes_with_the_reason(
    delivered: Callable[..., Delivery],
) -> None:
    message = delivered(b"\x00", {"a": "b"}).message
    letter = dead_letter(message, "act", Failure(code="ActionFailed", message="no"))
    assert letter.data == message.data
    assert letter.attributes == {
        "a": "b",
        "segue-from-stage": "act",
        REASON_CODE: "ActionFailed",
        REASON: "no",
    }


@pytest.mark.parametrize("letter", ["x", "ü", "語", "\U0001f600"])
def test_a_long_reason_is_cut_between_characters(letter: str) -> None:
    failure = Failure(code="c", message=letter * 2000)
    reason = dead_letter(Message(b""), "act", failure).attributes[REASON]
    assert 1017 < len(reason.encode()) <= 1024
    assert (set(reason[:-1]), reason[-1]) == ({letter}, "…")


def test_a_reason_that_fits_is_left_whole() -> None:
    failure = Failure(code="c", message="x" * 1024)
    assert dead_letter(Message(b""), "act", failure).attributes[REASON] == "x" * 1024


async def test_a_step_sees_what_rode_along_what_is_stored_and_its_run(
    deps: Deps, scope: Scope, envelope: Envelope
) -> None:
    assert isinstance(deps.store, MemoryStore)
    await finish(deps.store, "first", {"text": "stored"})
    await store_event(deps.store)
    context = Context(inline={"a": 1}, stored=("first", "event"))
    seen = await variables_of(deps.store, scope, envelope.model_copy(update={"context": context}))
    assert seen["event"]["data"] == [1]
    assert {name: seen[name] for name in ("a", "first", "run")} == {
        "a": 1,
        "first": {"text": "stored"},
        "run": {"id": "run-1", "flow": "f", "correlation_id": "story-1"},
    }


async def test_a_context_that_rode_along_costs_no_read(
    deps: Deps, scope: Scope, envelope: Envelope
) -> None:
    context = Context(inline={"a": 1})
    await variables_of(deps.store, scope, envelope.model_copy(update={"context": context}))
    assert isinstance(deps.store, MemoryStore)
    assert not deps.store.reads


@pytest.mark.parametrize("status", ["skipped", "failed", "running", "pending"])
async def test_a_step_that_did_not_succeed_is_undefined(
    deps: Deps, scope: Scope, status: str
) -> None:
    assert isinstance(deps.store, MemoryStore)
    await finish(deps.store, "first", None, status)
    assert await load(deps.store, scope, ["first", "never"]) == {}


async def test_an_event_that_has_expired_is_told(deps: Deps, scope: Scope) -> None:
    with pytest.raises(PayloadMissingError, match="the event of the run"):
        await load(deps.store, scope, ["event"])


async def test_a_join_loads_only_what_its_branch_does_not_know(deps: Deps, scope: Scope) -> None:
    assert isinstance(deps.store, MemoryStore)
    await finish(deps.store, "first", {"text": "stored"})
    known = {"first": {"text": "known"}}
    assert (await variables_at(deps.store, scope, "second", known))["first"] == known["first"]
    assert not deps.store.reads
    seen = await variables_at(deps.store, scope, "second", {})
    assert seen["first"] == {"text": "stored"}
    assert (await variables_at(deps.store, scope, END, {}))["run"]["id"] == "run-1"
