"""Lets runs begin that had to wait: where one of their key has ended, and where it is time.

Whoever wakes a key wakes it as often as it likes: each turn is taken once. What is begun and not
sent, as the process died in between, sweep sends again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.commands.holding import commit_skips, is_placeholder
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.letters.redrive import go_on
from shared.delivery.progress import REPEATED, Progress
from shared.delivery.runs.ending import end_of_run
from shared.delivery.runs.opening import scope_of_run
from shared.delivery.scope import JSON, Scope, load
from shared.delivery.starts.admission import LOOK_EVERY, present
from shared.delivery.telling import tell_ended_run
from shared.domain import chain, ids
from shared.domain.chain import Advance
from shared.domain.commands import Cancel
from shared.domain.envelope import Message
from shared.domain.records import Failure, RunRecord, RunStatus, step_path
from shared.domain.starts.control import Turn
from shared.domain.starts.lanes import COLLECTION, ControlRecord, control_path
from shared.domain.version import FlowVersion
from shared.errors import ClaimBusyError, Conflict, Permanent
from shared.ports import Document, Query, Update, Write

KEYS_A_TICK = 200
RUNS_OF_A_KEY = 100  # begun in a row, before it is another key's turn
RUNS_A_TICK = 1000
_TRIES = 5
_SOURCE = "//segue/control"


@dataclass(frozen=True)
class _Head:
    """Whose turn it is, in what is stored of its key; `next` comes behind it."""

    key: Document
    lane: ControlRecord
    run: Document
    next: Document | None

    @property
    def due(self) -> datetime:
        due = RunRecord.of(self.run.data).due
        assert due is not None
        return due


@dataclass(frozen=True)
class _Start:
    """How a run begins: its first steps, or, where it goes on after a redrive, None."""

    version: FlowVersion
    scope: Scope
    variables: dict[str, Any]
    plan: Advance | None


async def advance(key: str, deps: Deps, most: int = RUNS_OF_A_KEY) -> int:
    """Begins the runs of a key whose turn it is, as far as there is room; returns how many.

    Costs one read where nobody waits. Raises ClaimBusyError.
    """
    begun = 0
    while begun < most and await _begin_one(key, deps):
        begun += 1
    return begun


async def take_turns(deps: Deps) -> int:
    """Begins what is due, and where room was not noticed; the key looked at longest ago first.

    So a key with thousands of waiting runs delays another's by no more than its share of a tick.
    Sends what was begun and perhaps not sent. One that fails is told of and keeps nobody back.
    """
    query = Query(
        COLLECTION, (("look_at", "<=", deps.clock.now()),), order_by="look_at", limit=KEYS_A_TICK
    )
    begun = 0
    for found in await deps.store.find(query):
        if begun >= RUNS_A_TICK:
            break
        try:
            begun += await advance(found.name, deps, min(RUNS_OF_A_KEY, RUNS_A_TICK - begun))
        except ClaimBusyError:  # somebody else is at it
            continue
    await _make_sure(deps)
    return begun


# -- one turn -----------------------------------------------------------------------------------


async def _begin_one(key: str, deps: Deps) -> bool:
    for _ in range(_TRIES):
        found = await deps.store.get(control_path(key))
        lane = ControlRecord.of(found.data) if found is not None else None
        if found is None or lane is None or lane.look_at is None:
            return False
        try:
            head = await _head(found, lane, deps)
            if head is None:
                await deps.store.commit([_look(found, None, deps)])
                return False
            if head.due > deps.clock.now() or not await _has_room(found.name, lane, deps):
                await _keep_waiting(head, deps)
                return False
            await _begin(head, deps)
        except Conflict:
            continue
        return True
    raise ClaimBusyError(f"key {key}")


async def _head(found: Document, lane: ControlRecord, deps: Deps) -> _Head | None:
    query = Query(
        "runs",
        (("control", "==", found.name), ("turn", "==", Turn.WAITING.value)),
        order_by="ticket" if lane.in_order else "due",
        limit=2,
    )
    waiting = await deps.store.find(query)
    if not waiting:
        return None
    return _Head(found, lane, waiting[0], waiting[1] if len(waiting) > 1 else None)


async def _has_room(key: str, lane: ControlRecord, deps: Deps) -> bool:
    """Counted after the key's document was read, so that its revision tells of others let in."""
    return lane.limit is None or await deps.store.count(present(key, Turn.BEGUN)) < lane.limit


def _look(found: Document, at: datetime | None, deps: Deps) -> Update:
    """When somebody must look at the key again; None where nobody waits. It fences, too."""
    serial = ControlRecord.of(found.data).serial + 1
    changed = {"look_at": at, "serial": serial, "expire_at": deps.expire_at()}
    return Update(found.path, ControlRecord.fields_of(changed), found.revision)


async def _keep_waiting(head: _Head, deps: Deps) -> None:
    now = deps.clock.now()
    if head.lane.over == "replace":
        await _cancel_first(head, deps)
    look_at = head.due if head.due > now else now + LOOK_EVERY
    assert head.lane.look_at is not None
    if head.lane.look_at <= now or look_at < head.lane.look_at:
        await deps.store.commit([_look(head.key, look_at, deps)])


async def _cancel_first(head: _Head, deps: Deps) -> None:
    """The one that began first makes room; to ask it twice is harmless."""
    found = await deps.store.find(present(head.key.name, Turn.BEGUN))
    begun = sorted((RunRecord.of(one.data) for one in found), key=lambda run: run.ticket or 0)
    if begun:
        by = RunRecord.of(head.run.data).run_id
        command = Cancel(run=begun[0].run_id, by=f"run {by}", reason=f"replaced by run {by}")
        await deps.bus.publish("events", [_message(command)])


def _message(command: Cancel) -> Message:
    attributes = {
        "ce-id": ids.digest("replaced", command.run, str(command.by)),
        "ce-type": Cancel.type,
        "ce-source": _SOURCE,
        "content-type": JSON,
    }
    return Message(command.model_dump_json().encode(), attributes)


async def _begin(head: _Head, deps: Deps) -> None:
    """Raises Conflict where the run or its key has changed."""
    now, run = deps.clock.now(), RunRecord.of(head.run.data)
    then = RunRecord.of(head.next.data).due if head.next is not None else None
    if then is not None and then <= now:
        then = now + LOOK_EVERY  # unless the one who begins this one begins that one, too
    look = _look(head.key, then, deps)
    try:
        start = await _start(head.run, run, deps)
    except Permanent as error:  # it would keep those behind it waiting for ever
        failed = {"status": RunStatus.FAILED, "error": Failure.of(error)}
        end = end_of_run(deps, run.run_id, head.run.revision, **failed)
        await deps.store.commit([end, look])
        tell_ended_run(deps, head.run.data, end.data)
        return
    timeout = start.version.flow.timeout
    fields = RunRecord.fields_of(
        {
            "status": RunStatus.RUNNING,
            "turn": Turn.BEGUN,
            "due": now + LOOK_EVERY,
            "deadline": now + timedelta(seconds=timeout) if timeout else None,
        }
    )
    writes: list[Write] = []
    if start.plan is not None:
        progress = Progress(deps, start.scope)
        writes = [*progress.writes(start.plan)]
        if start.plan.ends:
            fields |= progress.end.write(start.variables, head.run.revision).data
    begin = Update(head.run.path, fields, head.run.revision)
    written = await commit_skips(deps.store, [begin, *writes, look])
    reach("committed")
    begun = Document(head.run.path, {**head.run.data, **fields}, written[0].revision)
    if start.plan is None:
        await go_on(begun, start.version, deps)
    else:
        if start.plan.ends:
            tell_ended_run(deps, begun.data, fields)
        scope = scope_of_run(RunRecord.of(begun.data), begun, start.version)
        await Progress(deps, scope).follow(start.plan, written, start.variables)
    reach("emitted")


async def _start(found: Document, run: RunRecord, deps: Deps) -> _Start:
    """Derived from what is stored, so the same each time. Raises Permanent."""
    version = await deps.flows.pinned(run.flow, run.flow_version)
    scope = scope_of_run(run, found, version)
    if run.redrives:  # some of its steps may have ended before
        return _Start(version, scope, {}, None)
    variables = await load(deps.store, scope, ["event"]) | {"run": scope.run_variables()}
    return _Start(version, scope, variables, chain.start(version.flow, variables))


# -- what was begun and perhaps not sent --------------------------------------------------------


async def _make_sure(deps: Deps) -> None:
    query = Query(
        "runs",
        (("turn", "==", Turn.BEGUN.value), ("due", "<=", deps.clock.now())),
        order_by="due",
        limit=RUNS_A_TICK,
    )
    for found in await deps.store.find(query):
        try:
            await _send_again(found, deps)
        except Permanent as error:
            deps.telemetry.log("ERROR", f"{found.path} has begun and cannot be sent: {error}")
        with suppress(Conflict):  # it has moved since
            await deps.store.commit([Update(found.path, {"due": None}, found.revision)])


async def _send_again(found: Document, deps: Deps) -> None:
    start = await _start(found, RunRecord.of(found.data), deps)
    if start.plan is None:
        await go_on(found, start.version, deps)
    elif not await _is_under_way(start, deps):
        await Progress(deps, start.scope).follow(start.plan, REPEATED, start.variables)


async def _is_under_way(start: _Start, deps: Deps) -> bool:
    """Whether each first step has come to a stage, which a message sent again would only repeat."""
    assert start.plan is not None
    ready, steps = start.plan.ready, start.version.flow.steps
    if not ready or any(steps[name].foreach is not None for name in ready):
        return False
    paths = [step_path(start.scope.run.id, name) for name in ready]
    found = await deps.store.get_many(paths)
    return all(one is not None and not is_placeholder(one) for one in found)
