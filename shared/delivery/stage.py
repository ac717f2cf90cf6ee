"""From a push request to ack, nack or bury, with one report for each attempt.

The only place that decides what an error means for the message.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.delivery.closing import RecordedFailure
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.push import delivery_of
from shared.delivery.scope import BLOB, MESSAGE_ID, PUBLISHED, dead_letter
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.origin import Origin, in_hand
from shared.domain.records import Failure
from shared.domain.trace import parse_traceparent
from shared.errors import (
    Conflict,
    EventTooLargeError,
    MessageInvalidError,
    Permanent,
    SegueError,
    StageBudgetError,
    Transient,
)
from shared.ports import StageReport

Handle = Callable[[Received, Deps], Awaitable[Handled]]
Disposition = Literal["ack", "nack", "bury"]
HTTP_STATUS: dict[Disposition, int] = {"ack": 204, "bury": 204, "nack": 503}


@dataclass(frozen=True)
class _Verdict:
    disposition: Disposition
    outcome: str
    failure: Failure | None = None
    stack_trace: str | None = None


async def receive(
    body: bytes, deps: Deps, handle: Handle, *, request_trace: str | None = None
) -> int:
    """Handles one push request; the HTTP status tells Pub/Sub what to do with the message.

    400 where the request is not a push at all: nothing is known that could be kept.
    """
    started = deps.clock.now()
    stage = {"stage": deps.stage.name}
    try:
        delivery = delivery_of(body)
    except MessageInvalidError as error:
        with in_hand(lambda: Origin(stage, request_trace=request_trace)):
            deps.telemetry.log("ERROR", str(error))
        return 400
    received = Received(delivery, ids.span_id(delivery.message_id, deps.new_token()))

    def about() -> Origin:
        labels = {**stage, **received.labels}
        return Origin(labels, received.trace_id, received.span_id, request_trace)

    with in_hand(about):
        verdict = await _verdict(received, deps, handle)
        deps.telemetry.report(_report(received, deps, verdict, started, request_trace))
    return HTTP_STATUS[verdict.disposition]


async def _verdict(received: Received, deps: Deps, handle: Handle) -> _Verdict:
    try:
        handled = await _within_budget(received, deps, handle)
        return _Verdict("ack", handled.outcome, handled.failure)
    except (Transient, Conflict) as error:  # a lost race is decided anew on redelivery
        return _Verdict("nack", "retry", Failure.of(error))
    except Permanent as error:
        return await _bury(received, deps, failure_of(error))
    except Exception as error:  # noqa: BLE001 - a defect: Pub/Sub retries, then keeps the message
        failure = Failure(code=type(error).__name__, message=str(error) or repr(error))
        return _Verdict("nack", "crashed", failure, traceback.format_exc())


async def _within_budget(received: Received, deps: Deps, handle: Handle) -> Handled:
    """A stage ends its own work before the platform does. Effectful ones do so step by step."""
    if deps.stage.effectful:
        return await handle(received, deps)
    try:
        async with asyncio.timeout(deps.stage.budget) as deadline:
            return await handle(received, deps)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise StageBudgetError(f"stage {deps.stage.name}: {deps.stage.budget:g} s") from error


async def _bury(received: Received, deps: Deps, failure: Failure) -> _Verdict:
    delivery = received.delivery
    letter = dead_letter(delivery.message, deps.stage.name, failure)
    about = {MESSAGE_ID: delivery.message_id, PUBLISHED: delivery.published_at.isoformat()}
    marked = Message(letter.data, {**letter.attributes, **about})
    try:
        await _send(marked, deps)
    except SegueError as error:
        return _Verdict("nack", "retry", Failure.of(error))
    return _Verdict("bury", "failed", failure)


async def _send(letter: Message, deps: Deps) -> None:
    """Publishes the letter; bytes that do not fit beside its reason are stored and named."""
    try:
        await deps.bus.publish(deps.stage.dead_letter_topic, [letter])
    except EventTooLargeError:
        blob = await deps.blobs.put(letter.data, deps.expire_at())
        named = Message(b"", {**letter.attributes, BLOB: blob})
        await deps.bus.publish(deps.stage.dead_letter_topic, [named])


def failure_of(error: SegueError) -> Failure:
    """What is told of an error; a failure recorded earlier is told as it was."""
    return error.failure if isinstance(error, RecordedFailure) else Failure.of(error)


def _report(
    received: Received, deps: Deps, verdict: _Verdict, started: datetime, request: str | None
) -> StageReport:
    delivery = received.delivery
    parent = parse_traceparent(delivery.message.attributes.get("traceparent", ""))
    details = dict(received.details)
    if verdict.stack_trace:
        details["stack_trace"] = verdict.stack_trace
    return StageReport(
        stage=deps.stage.name,
        disposition=verdict.disposition,
        outcome=verdict.outcome,
        trace_id=received.trace_id,
        span_id=received.span_id,
        parent_span_id=parent.span_id if parent else None,
        started_at=started,
        duration_ms=(deps.clock.now() - started).total_seconds() * 1000,
        labels=received.labels,
        message_id=delivery.message_id,
        attempt=delivery.attempt,
        error=verdict.failure,
        usage=received.usage,
        calls=tuple(received.calls),
        request_trace=request,
        details=details,
    )
