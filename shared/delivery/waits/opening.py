"""Opens steps that wait: a record that says what for and until when, and no compute is held.

Decides what is recorded, and looks for what has come before. What ends a wait is in `waking`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.scope import Scope
from shared.delivery.waits.awaiting import look_back
from shared.delivery.waits.waking import Waking, arrived
from shared.domain.chain import StepStatus
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.records import StepRecord, step_path
from shared.domain.signals import SignalRecord, signal_path
from shared.domain.step import WaitStep
from shared.domain.waiting import (
    Awaited,
    ForApproval,
    ForDuration,
    ForEvent,
    ForSignal,
    Wait,
    length_of,
    match_of,
    moment_of,
)
from shared.errors import WaitInvalidError
from shared.ports import Update

Variables = Mapping[str, Any]
_LONGEST_KEY = 1024  # characters of JSON


class Waits:
    """Implements `StepOpener` for the waits of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    async def record(self, step: str, variables: Variables) -> StepRecord:
        """A step that waits. Raises ExpressionError, WaitInvalidError."""
        now = self._deps.clock.now()
        declared = self._scope.version.flow.steps[step]
        assert isinstance(declared, WaitStep)
        due = _due(declared, variables, now)
        awaited = _awaited(step, declared, variables).model_copy(update={"until": due})
        return StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=step,
            stage=self._deps.stage.name,
            status=StepStatus.WAITING,
            started_at=now,
            awaited=awaited,
            matches=_match(declared.wait, awaited),
            due=due,
            expire_at=self._deps.expire_at(),
        )

    def has_begun(self, found: StepRecord) -> bool:
        """False where it has failed before, and is opened anew after a redrive."""
        return found.status is StepStatus.WAITING

    def anew(self, fresh: StepRecord, found: StepRecord) -> StepRecord:
        """Waits once more, and not for what ended it the last time."""
        before, awaited = found.awaited, fresh.awaited
        if before is None or awaited is None:
            return fresh
        again = awaited.model_copy(update={"past": before.is_past})
        return fresh.model_copy(update={"awaited": again})

    async def begun(self, record: StepRecord, variables: Variables) -> None:
        """Ends the wait with a signal that was earlier than the wait.

        Whoever sends one stores it before they look for a wait, and a wait is recorded before this
        looks for a signal: one of the two always sees the other.
        """
        del variables  # more may be known by the time it ends
        awaited = record.awaited
        assert awaited is not None
        if record.due is None and awaited.until is not None:
            await self._set_due(record.step, awaited.until)
        if awaited.name is not None:
            await self._look_for_signal(record.step, awaited.name)
        elif awaited.type is not None:
            await look_back(record, self._deps, self._scope)

    async def _look_for_signal(self, step: str, name: str) -> None:
        run_id = self._scope.run.id
        paths = [signal_path(run_id, name), step_path(run_id, step)]
        signal, found = await self._deps.store.get_many(paths)
        if signal is None or found is None:
            return
        record = StepRecord.of(found.data)
        came = arrived(SignalRecord.of(signal.data), record)
        if came is not None and record.status is StepStatus.WAITING:
            await Waking(self._deps, self._scope).end(found, came)

    async def _set_due(self, step: str, until: datetime) -> None:
        """Nobody looked at the time while the run had ended; it goes on by a redrive."""
        path = step_path(self._scope.run.id, step)
        found = await self._deps.store.get(path)
        if found is not None and self.has_begun(StepRecord.of(found.data)):
            await self._deps.store.commit([Update(path, {"due": until}, found.revision)])


def _awaited(step: str, declared: WaitStep, variables: Variables) -> Awaited:
    wait = declared.wait
    match wait:
        case ForApproval():
            told = None if wait.message is None else str(fill(wait.message, variables))
            approvers = wait.approvers
            return Awaited(what="approval", name=step, approvers=approvers, told=told)
        case ForSignal():
            return Awaited(what="signal", name=declared.signal(step))
        case ForEvent():
            return Awaited(what="event", type=wait.type, value=_value(wait, variables))
        case ForDuration():
            return Awaited(what="duration")


def _value(wait: ForEvent, variables: Variables) -> Json:
    """What the key of the event must be, as JSON."""
    value: Json = fill(wait.equals, variables)
    try:
        text = json.dumps(value)
    except (TypeError, ValueError) as error:
        raise WaitInvalidError(f"`equals` is no JSON: {error}") from error
    if value is None or len(text) > _LONGEST_KEY:
        raise WaitInvalidError(f"`equals` is {text[:80]}; it takes a value that tells runs apart")
    return value


def _match(wait: Wait, awaited: Awaited) -> str | None:
    return match_of(wait.type, wait.key, awaited.value) if isinstance(wait, ForEvent) else None


def _due(declared: WaitStep, variables: Variables, now: datetime) -> datetime | None:
    wait = declared.wait
    try:
        if not isinstance(wait, ForDuration):
            return None if wait.timeout is None else now + timedelta(seconds=wait.timeout)
        if wait.until is not None:
            return moment_of(fill(wait.until, variables))
        return now + timedelta(seconds=length_of(fill(wait.duration, variables)))
    except ValueError as error:
        raise WaitInvalidError(str(error)) from error
