"""Who works on a step: a lease with an owner token and a fence, kept in the step's record.

Decides nothing about the work. An owner that lost its claim notices at commit, by revision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.agents.notes import CallMade
from shared.domain.chain import StepStatus
from shared.domain.envelope import ActTask, Delivery, Envelope
from shared.domain.instances import instance_of
from shared.domain.records import RETRIED, Attempt, Failure, StepRecord, Usage, step_path
from shared.errors import (
    AlreadyExistsError,
    ClaimBusyError,
    ClaimLostError,
    Conflict,
    SegueError,
    StaleError,
    Transient,
)
from shared.ports import Create, Document, Update, Write

LEASE_MARGIN = timedelta(seconds=5)  # between the end of the work and the end of the lease
_TRIES = 3  # a lost answer needs two looks, a lost race three; more means real contention


class StepCancelled(Exception):
    """The step was cancelled, with its run, while somebody worked on it."""


@dataclass(frozen=True)
class Claim:
    """This delivery holds the step; `revision` is the precondition of its commit."""

    record: StepRecord
    revision: str


@dataclass(frozen=True)
class Finished:
    """The step is already done; what follows from it may still have to be sent."""

    record: StepRecord


@dataclass(frozen=True)
class PutOff:
    """The step is tried again later, or begins when its run is resumed or a person lets it.

    Another message is sent for it then.
    """

    record: StepRecord


async def claim(deps: Deps, envelope: Envelope, delivery: Delivery) -> Claim | Finished | PutOff:
    """Claims the step, or tells that it is done, or not yet due.

    Costs one write and no read where nobody else was there. Raises ClaimBusyError while another
    delivery holds a live lease.
    """
    owner = deps.new_token()
    path = step_path(envelope.run.id, envelope.step)
    fresh = _fresh(deps, envelope, delivery, owner)
    try:
        [written] = await deps.store.commit([Create(path, fresh.document())])
        return Claim(fresh, written.revision)
    except AlreadyExistsError:
        pass  # decided below, on what is there
    for _ in range(_TRIES):
        found = await deps.store.get(path)
        if found is None:
            break
        record = StepRecord.of(found.data)
        is_early = _is_put_off(record) and envelope.resumes < len(record.attempts)
        is_held = record.held and record.status is StepStatus.PENDING
        if is_early or is_held or record.status is StepStatus.WAITING:
            return PutOff(record)
        task = envelope.task
        is_patient = isinstance(task, ActTask) and task.is_patient
        held = _judge(deps, found, None if is_patient else delivery, owner)
        if held is not None:
            return held
        with contextlib.suppress(StaleError):
            return await _take_over(deps, found, delivery, owner)
    raise ClaimBusyError(f"step {envelope.step} of run {envelope.run.id}")


def _is_put_off(record: StepRecord) -> bool:
    return record.status is StepStatus.PENDING and record.due is not None


def _fresh(deps: Deps, envelope: Envelope, delivery: Delivery, owner: str) -> StepRecord:
    now, instance = deps.clock.now(), instance_of(envelope.step)
    return StepRecord(
        run_id=envelope.run.id,
        flow=envelope.run.flow,
        step=envelope.step,
        stage=deps.stage.name,
        owner=owner,
        fence=1,
        lease_until=now + _lease(deps),
        message_id=delivery.message_id,
        delivery_attempt=delivery.attempt,
        attempts=[Attempt(n=1, started_at=now)],
        started_at=now,
        item_of=instance.item_of,
        index=instance.index,
        agent=_call_in(envelope),
        expire_at=deps.expire_at(),
    )


def _call_in(envelope: Envelope) -> CallMade | None:
    task = envelope.task
    if not isinstance(task, ActTask) or task.call is None:
        return None
    return CallMade(call=task.call)


def _judge(
    deps: Deps, found: Document, delivery: Delivery | None, owner: str
) -> Claim | Finished | None:
    """None: take it over. Without a delivery only the lease decides. Raises ClaimBusyError."""
    record = StepRecord.of(found.data)
    if record.status.is_final:
        return Finished(record)
    if record.owner == owner:  # the answer to our own write was lost
        return Claim(record, found.revision)
    if record.status is StepStatus.PENDING:
        return None
    if delivery is not None and _given_up(record, delivery):
        return None
    if record.lease_until is None or record.lease_until <= deps.clock.now():
        return None
    raise ClaimBusyError(f"step {record.step} of run {record.run_id}")


def _given_up(record: StepRecord, delivery: Delivery) -> bool:
    """The same message with a higher attempt: the broker gave the earlier delivery up."""
    return (
        record.message_id == delivery.message_id
        and record.delivery_attempt is not None
        and delivery.attempt is not None
        and delivery.attempt > record.delivery_attempt
    )


async def _take_over(deps: Deps, found: Document, delivery: Delivery, owner: str) -> Claim:
    now = deps.clock.now()
    before = StepRecord.of(found.data)
    record = before.model_copy(
        update={
            "status": StepStatus.RUNNING,
            "stage": deps.stage.name,
            "owner": owner,
            "fence": before.fence + 1,
            "lease_until": now + _lease(deps),
            "message_id": delivery.message_id,
            "delivery_attempt": delivery.attempt,
            "attempts": [
                *_closed(before.attempts, "lost", None, Usage(), now),
                Attempt(n=len(before.attempts) + 1, started_at=now),
            ],
            "started_at": before.started_at or now,
            "due": None,
        }
    )
    [written] = await deps.store.commit([Update(found.path, record.document(), found.revision)])
    return Claim(record, written.revision)


async def try_again(
    deps: Deps,
    held: Claim,
    failure: Failure,
    usage: Usage,
    *,
    fallback: bool,
    also: Sequence[Write] = (),
) -> Claim:
    """Records that this try has failed and that the next one begins, in the same hands.

    Raises ClaimLostError where they are others' by now, StepCancelled where they are nobody's.
    """
    now = deps.clock.now()
    closed = _closed(held.record.attempts, RETRIED, failure, usage, now)
    attempts = [*closed, Attempt(n=len(closed) + 1, started_at=now)]
    changed = {"attempts": attempts, "fallback": fallback}
    return await _note(deps, held, changed, also)


async def put_off(  # noqa: PLR0913 - what is recorded of the try that has failed
    deps: Deps,
    held: Claim,
    failure: Failure,
    usage: Usage,
    *,
    due: datetime,
    fallback: bool,
    also: Sequence[Write] = (),
) -> None:
    """Records that this try has failed and when the next one is due; nobody holds the step.

    Raises as `try_again` does.
    """
    closed = _closed(held.record.attempts, RETRIED, failure, usage, deps.clock.now())
    freed = {"status": StepStatus.PENDING, "owner": "", "lease_until": None, "due": due}
    await _note(deps, held, {**freed, "attempts": closed, "fallback": fallback}, also)


async def leave(deps: Deps, held: Claim, changed: Mapping[str, Any], outcome: str) -> None:
    """Records that the step waits from now on, and how its try has ended; nobody holds it.

    `changed` is what it waits for.

    Raises as `try_again` does.
    """
    closed = _closed(held.record.attempts, outcome, None, Usage(), deps.clock.now())
    freed = {"status": StepStatus.WAITING, "owner": "", "lease_until": None}
    await _note(deps, held, {**freed, **changed, "attempts": closed})


async def defer(
    deps: Deps, held: Claim, why: StepDeferred, usage: Usage, also: Sequence[Write]
) -> None:
    """Records that the step has to wait, through no fault of its own; nobody holds it.

    It is no try that counts. Raises as `try_again` does.
    """
    failure, now = Failure.of(why, held.record.step), deps.clock.now()
    closed = _closed(held.record.attempts, "deferred", failure, usage, now)
    freed = {"status": StepStatus.PENDING, "owner": "", "lease_until": None, "due": why.until}
    asks = why.asks if why.asks is not None else held.record.asks
    await _note(deps, held, {**freed, "attempts": closed, "asks": asks}, also)


async def _note(
    deps: Deps, held: Claim, changed: dict[str, Any], also: Sequence[Write] = ()
) -> Claim:
    """Changes the record of a step that is held, once, though an answer may be lost."""
    record = held.record.model_copy(update=changed)
    path = step_path(record.run_id, record.step)
    try:
        update = Update(path, StepRecord.fields_of(changed), held.revision)
        written, *_ = await deps.store.commit([update, *also])
        return Claim(record, written.revision)
    except StaleError:
        found = await deps.store.get(path)
        if found is not None and found.data["status"] == StepStatus.CANCELLED.value:
            raise StepCancelled(path) from None
        if found is None or not _is_same(StepRecord.of(found.data), record):
            raise ClaimLostError(f"step {record.step} of run {record.run_id}") from None
        return Claim(record, found.revision)  # it was our own write, whose answer was lost


def _is_same(found: StepRecord, record: StepRecord) -> bool:
    mine = (record.fence, record.owner, record.status, len(record.attempts))
    return (found.fence, found.owner, found.status, len(found.attempts)) == mine


async def release(
    deps: Deps, held: Claim, error: SegueError, usage: Usage, also: Sequence[Write] = ()
) -> None:
    """Gives the step back after a passing failure, so that the redelivery need not wait.

    Best effort: where it cannot be written, the lease or the next delivery attempt decides.
    """
    closed = _closed(held.record.attempts, "released", Failure.of(error), usage, deps.clock.now())
    fields = {
        "status": StepStatus.PENDING.value,
        "owner": "",
        "lease_until": None,
        "attempts": [attempt.model_dump() for attempt in closed],
    }
    path = step_path(held.record.run_id, held.record.step)
    with contextlib.suppress(Conflict, Transient):
        await deps.store.commit([Update(path, fields, held.revision), *also])


def close_attempt(
    held: Claim, outcome: str, error: Failure | None, usage: Usage, deps: Deps
) -> list[Attempt]:
    """The ledger with this delivery's attempt closed."""
    return _closed(held.record.attempts, outcome, error, usage, deps.clock.now())


def _closed(
    attempts: list[Attempt], outcome: str, error: Failure | None, usage: Usage, now: object
) -> list[Attempt]:
    if not attempts or attempts[-1].outcome != "running":
        return list(attempts)
    last = attempts[-1].model_copy(
        update={"outcome": outcome, "error": error, "usage": usage, "finished_at": now}
    )
    return [*attempts[:-1], last]


def seconds_held(deps: Deps, held: Claim) -> float:
    """For how long the work on a step that was claimed may go on; less than the lease."""
    until = held.record.lease_until
    return (until - LEASE_MARGIN - deps.clock.now()).total_seconds() if until is not None else 0.0


def _lease(deps: Deps) -> timedelta:
    return timedelta(seconds=deps.stage.budget) + LEASE_MARGIN
