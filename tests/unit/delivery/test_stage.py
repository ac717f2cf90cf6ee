"""What an error means for the message: the one table from exceptions to ack, nack and bury."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from shared import errors
from shared.delivery.closing import RecordedFailure
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.scope import FROM_STAGE, REASON, REASON_CODE
from shared.delivery.stage import Handle, failure_of, receive
from shared.domain import ids
from shared.domain.origin import Origin, origin
from shared.domain.records import Failure, Usage
from shared.ports import Bus, StageReport
from shared.testing.memory import MemoryBus
from shared.testing.pipeline import World

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.SegueError) and not kind.__subclasses__()
]


def push(attributes: dict[str, str] | None = None, **more: Any) -> bytes:
    message = {
        "data": base64.b64encode(b"\x00original").decode(),
        "attributes": attributes or {},
        "messageId": "7",
        "publishTime": "2026-01-01T00:00:00Z",
    }
    return json.dumps({"message": message, "subscription": "segue-act", **more}).encode()


def raising(error: Exception) -> Handle:
    async def handle(received: Received, _deps: Deps) -> Handled:
        received.describe({"correlation_id": "story-1"}, reached="handler")
        raise error

    return handle


def report_of(world: World) -> StageReport:
    [report] = world.telemetry.reports
    return report


async def test_what_is_handled_is_acknowledged(deps: Deps, world: World) -> None:
    async def handle(received: Received, _deps: Deps) -> Handled:
        received.describe({"correlation_id": "story-1", "step": "a"}, found=3)
        received.usage = Usage(llm_calls=1)
        return Handled("done")

    status = await receive(push(deliveryAttempt=2), deps, handle, request_trace="r" * 32)
    report = report_of(world)
    assert status == 204
    assert (report.disposition, report.outcome, report.error) == ("ack", "done", None)
    assert (report.stage, report.message_id, report.attempt) == ("act", "7", 2)
    assert report.labels == {"correlation_id": "story-1", "step": "a"}
    assert report.details == {"found": 3}
    assert report.usage == Usage(llm_calls=1)
    assert report.request_trace == "r" * 32


def verdict_on(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, errors.Permanent):
        return 204, "bury", "failed"
    passing = isinstance(error, errors.Transient | errors.Conflict)
    return 503, "nack", "retry" if passing else "crashed"


@pytest.mark.parametrize(
    "error",
    [*(kind("why") for kind in LEAVES), ValueError("defect"), RecursionError()],
    ids=lambda error: type(error).__name__,
)
async def test_the_class_of_an_error_decides(deps: Deps, world: World, error: Exception) -> None:
    status = await receive(push(), deps, raising(error))
    report = report_of(world)
    assert (status, report.disposition, report.outcome) == verdict_on(error)
    assert report.error is not None
    assert report.details["reached"] == "handler"
    buried = [topic for topic, _, _ in world.messages.published]
    assert buried == (["act-dead"] if report.disposition == "bury" else [])


async def test_a_buried_message_keeps_its_bytes_and_says_why(deps: Deps, world: World) -> None:
    await receive(push({"a": "b"}), deps, raising(errors.ActionFailedError("no such user")))
    [(topic, _, letter)] = world.messages.published
    assert topic == "act-dead"
    assert letter.data == b"\x00original"
    assert letter.attributes["a"] == "b"
    assert letter.attributes[FROM_STAGE] == "act"
    assert letter.attributes[REASON_CODE] == "ActionFailed"
    assert letter.attributes[REASON].startswith("no such user. The action was carried out")


async def test_a_message_that_cannot_be_buried_is_given_back(deps: Deps, world: World) -> None:
    class Down(MemoryBus):
        async def publish(self, topic: str, messages: Any) -> list[str]:
            raise errors.BusUnavailableError("down")

    bus: Bus = Down()
    error = errors.ActionFailedError("no")
    assert await receive(push(), replace(deps, bus=bus), raising(error)) == 503
    report = report_of(world)
    assert (report.disposition, report.outcome) == ("nack", "retry")
    assert report.error is not None
    assert report.error.code == "BusUnavailable"


async def test_a_defect_is_told_with_its_stack(deps: Deps, world: World) -> None:
    await receive(push(), deps, raising(ZeroDivisionError()))
    report = report_of(world)
    assert "in handle" in report.details["stack_trace"]
    assert report.error == Failure(code="ZeroDivisionError", message="ZeroDivisionError()")


async def test_what_is_no_push_is_refused_and_told(deps: Deps, world: World) -> None:
    assert await receive(b"hello", deps, raising(AssertionError())) == 400
    assert world.telemetry.reports == []
    [(severity, message, fields)] = world.telemetry.lines
    assert severity == "ERROR"
    assert "not a Pub/Sub push request" in message
    assert fields["labels"] == {"stage": "act"}


async def test_lines_written_meanwhile_come_from_the_message(deps: Deps) -> None:
    async def handle(received: Received, _deps: Deps) -> Handled:
        seen.append(origin())
        received.describe({"correlation_id": "story-1", "step": "a"})
        seen.append(await asyncio.to_thread(origin))
        return Handled("done")

    seen: list[Origin] = []
    await receive(push({"traceparent": TRACE}), deps, handle, request_trace="r" * 32)
    before, after = seen
    assert before.labels == {"stage": "act"}
    assert after.labels == {"stage": "act", "correlation_id": "story-1", "step": "a"}
    assert (after.trace_id, after.request_trace) == (TRACE.split("-")[1], "r" * 32)
    assert after.span_id == before.span_id
    assert origin() == Origin()


async def test_a_message_without_a_trace_is_in_its_correlations(deps: Deps, world: World) -> None:
    async def handle(received: Received, deps: Deps) -> Handled:
        received.describe({"correlation_id": "story-1"})
        deps.telemetry.log("INFO", "said")
        return Handled("done")

    await receive(push(), deps, handle)
    [(_, _, fields)] = world.telemetry.lines
    assert fields["trace_id"] == report_of(world).trace_id == ids.trace_id("story-1")


@pytest.mark.parametrize(
    ("attributes", "trace_id", "parent"),
    [
        ({"traceparent": TRACE}, TRACE.split("-")[1], TRACE.split("-")[2]),
        ({"traceparent": "garbage"}, None, None),
        ({}, None, None),
    ],
)
async def test_an_attempt_is_a_span_of_the_messages_trace(
    deps: Deps, world: World, attributes: dict[str, str], trace_id: str | None, parent: str | None
) -> None:
    await receive(push(attributes), deps, raising(errors.ClaimBusyError()))
    report = report_of(world)
    assert report.trace_id == (trace_id or report.trace_id)
    assert len(report.trace_id) == 32
    assert report.parent_span_id == parent
    assert len(report.span_id) == 16


async def test_every_attempt_is_a_span_of_its_own(deps: Deps, world: World) -> None:
    for _ in range(2):
        await receive(push(), deps, raising(errors.ClaimBusyError()))
    assert len({report.span_id for report in world.telemetry.reports}) == 2


def test_a_failure_recorded_earlier_is_told_as_it_was() -> None:
    recorded = Failure(code="StepTimeout", message="5 s", step="a")
    assert failure_of(RecordedFailure(recorded)) == recorded
    assert RecordedFailure(recorded).code == "StepTimeout"
    assert str(RecordedFailure(recorded)) == "5 s"
