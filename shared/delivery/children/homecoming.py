"""What the end of a child means for the step that waits for it; and what the step's means for it.

A step is ended once: its record is fenced by its revision. Whoever repeats it sends the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.delivery.children.opening import cancel_of
from shared.delivery.closing import Closing, End, RecordedFailure
from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.maps.opening import Maps
from shared.delivery.runs.aftermath import may_leave_children
from shared.delivery.runs.ending import require_fitting
from shared.delivery.runs.opening import Opening, pinned_scope
from shared.delivery.scope import Scope, dead_letter, variables_at
from shared.delivery.settling import Standing
from shared.domain.agents.notes import CallMade
from shared.domain.chain import StepStatus
from shared.domain.envelope import ActTask, Envelope, Message, Place
from shared.domain.events import Event
from shared.domain.expressions import fill
from shared.domain.ids import run_id as id_of_run
from shared.domain.instances import instance_of
from shared.domain.model import Json
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    run_path,
    step_path,
)
from shared.domain.starts.by_name import parent_of
from shared.errors import (
    ChildCancelledError,
    ChildFailedError,
    ChildMissingError,
    ClaimLostError,
    Conflict,
    ExpressionError,
    OutputTooLargeError,
    SegueError,
    StepTimeoutError,
)
from shared.ports import Document, Query, Update


@dataclass(frozen=True)
class Came:
    """What ends the step: an output, or an error. `is_due`: nobody comes back but by the time."""

    output: Json = None
    error: SegueError | None = None
    is_due: bool = False


def came_of(child: RunRecord) -> Came:
    """What a child that has ended brings its step."""
    about = f"run {child.run_id} of flow {child.flow!r}"
    if child.status is RunStatus.SUCCEEDED:
        return Came(child.outputs)
    if child.status is RunStatus.CANCELLED:
        return Came(error=ChildCancelledError(about))
    why = f": {child.error.code}: {child.error.message}" if child.error else ""
    return Came(error=ChildFailedError(f"{about}{why}"))


def _told(came: Came, note: CallMade) -> Came:
    """What a call of an agent's ends with: whatever has become of its child is for the model."""
    error = came.error
    try:
        require_fitting([came.output, note.call.args], "the run's outputs")
    except OutputTooLargeError as too_large:
        error = too_large
    if error is None:
        return came
    return Came({"error": {"code": error.code, "message": error.detail}})


async def child_ended(_found: Document, child: RunRecord, _received: Received, deps: Deps) -> bool:
    """Tells the step that waits for a run of its end. One that waits for it no more is left."""
    if child.parent is not None:
        await tell_parent(
            child.parent.run_id, child.parent.step, child.run_id, came_of(child), deps
        )
    return True


async def tell_parent(run_id: str, step: str, child: str, came: Came, deps: Deps) -> None:
    """Ends the step with what has come of its child, unless the run, or the step, has another end.

    Raises ClaimLostError where the step changes meanwhile.
    """
    run, found = await deps.store.get_many([run_path(run_id), step_path(run_id, step)])
    if run is None or found is None:
        return
    record = StepRecord.of(found.data)
    is_its_own = record.child is not None and record.child.run_id == child
    is_stopped = RunRecord.of(run.data).status.is_final and not record.status.is_final
    if not is_its_own or is_stopped or record.status is StepStatus.CANCELLED:
        return
    scope = await pinned_scope(run, deps)
    await Homecoming(deps, scope).end(found, came)


async def see_to_parent(
    event: Event, message: Message, openings: Sequence[Opening], deps: Deps
) -> None:
    """After a child was opened, or could not be: its step may have to fail, or be over already.

    Whoever ends the run above cancels the children that it finds; this finds it ended.
    """
    parent = parent_of(message.attributes)
    if parent is None:
        return
    if not openings:
        error = ChildMissingError(f"there is no flow {event.subject!r}")
        child = id_of_run(str(event.subject), event.key)
        await tell_parent(*parent, child, Came(error=error), deps)
        return
    names = dict.fromkeys((parent[1], instance_of(parent[1]).step))  # a call's agent, too
    paths = [run_path(parent[0]), *(step_path(parent[0], name) for name in names)]
    run, *steps = await deps.store.get_many(paths)
    [child] = [opening.run_id for opening in openings]
    found = [StepRecord.of(one.data) for one in steps if one is not None]
    if run is None or len(found) < len(names):
        return
    above, record = RunRecord.of(run.data), found[0]
    is_awaited = record.child is not None and record.child.run_id == child
    is_over = above.status.is_final or any(one.status.is_final for one in found)
    if is_over or not is_awaited:
        reason = f"step {record.step} waits for it no longer"
        await deps.bus.publish("events", [cancel_of(child, above, reason)])


async def leave_no_child(_found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """Cancels what a run that has ended was still waiting for."""
    if run.status is RunStatus.SUCCEEDED:
        version = await deps.flows.pinned(run.flow, run.flow_version)
        if not may_leave_children(version.flow, run.status):
            return True
    # A run that is cancelled takes its steps along.
    left = [StepStatus.WAITING.value, StepStatus.CANCELLED.value]
    steps = await deps.store.find(Query(f"{run_path(run.run_id)}/steps", (("status", "in", left),)))
    children = [record.child for record in (StepRecord.of(one.data) for one in steps)]
    reason = f"its parent has {run.status}"
    messages = [cancel_of(child.run_id, run, reason) for child in children if child is not None]
    if messages:
        await deps.bus.publish("events", messages)
    return True


class Homecoming:
    """Ends steps of one run that wait for children, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    async def end(self, found: Document, came: Came) -> None:
        """Ends the step that is still as it was `found`, and sends what follows; again, if it has.

        Raises ClaimLostError where it has changed since: then it is to be looked at anew.
        """
        record = StepRecord.of(found.data)
        came = _told(came, record.agent) if isinstance(record.agent, CallMade) else came
        place, known = await self._place(record)
        closing = Closing(self._deps, self._scope, self._envelope(record, place))

        async def variables() -> dict[str, Any]:
            return known

        try:
            done: StepRecord | None = record
            if record.status is StepStatus.WAITING:
                end = self._ending(found, record, came, known, survives=closing.survives)
                done = await closing.close(end, self._standing(found))
            if done is not None and done.status.is_final:
                await closing.resume(done, variables)
        except RecordedFailure as error:
            await self._bury(record.step, place, error.failure)

    async def time_is_up(self, found: Document) -> None:
        """Ends a step that has waited long enough, and its child; repeats it where it has ended.

        `due` stays until all of that is done, so that a tick that dies is made good by the next.
        """
        record = StepRecord.of(found.data)
        timeout = self._scope.version.flow.declared(record.step).timeout or 0
        error = StepTimeoutError(f"step {record.step!r}: {timeout:g} s")
        await self.end(found, Came(error=error, is_due=True))
        run = await self._deps.store.get(run_path(record.run_id))
        if run is not None and record.child is not None:
            reason = f"step {record.step} waits for it no longer"
            message = cancel_of(record.child.run_id, RunRecord.of(run.data), reason)
            await self._deps.bus.publish("events", [message])
        now = await self._deps.store.get(found.path)
        if now is not None and StepRecord.of(now.data).status.is_final:
            with suppress(Conflict):  # a redrive has taken it up
                await self._deps.store.commit([Update(found.path, {"due": None}, now.revision)])

    # -- parts ------------------------------------------------------------------------------

    async def _place(self, record: StepRecord) -> tuple[Place | None, dict[str, Any]]:
        """Where an item stands, and the variables that the step, or the item, sees."""
        instance = instance_of(record.step)
        known = await variables_at(self._deps.store, self._scope, instance.step, {})
        if instance.index is None:
            return None, known
        begun = await self._deps.store.get(step_path(record.run_id, instance.step))
        mapped = StepRecord.of(begun.data).mapped if begun is not None else None
        if mapped is None:
            raise ClaimLostError(f"the map of {record.step} of run {record.run_id}")
        following = Maps(self._deps, self._scope).after(instance.step, mapped, instance.index)
        values = mapped.values or []
        item = values[instance.index] if instance.index < len(values) else None
        own = {"item": item, "index": instance.index}
        return Place(size=mapped.size, next=following), {**known, **own}

    def _envelope(self, record: StepRecord, place: Place | None) -> Envelope:
        run, step = self._scope.run, record.step
        return Envelope(
            id=self._scope.cause,
            cause=self._scope.cause,
            run=run,
            step=step,
            task=ActTask(),
            place=place,
        )

    def _ending(
        self,
        found: Document,
        record: StepRecord,
        came: Came,
        known: dict[str, Any],
        *,
        survives: bool,
    ) -> End:
        """As it came, or with the value that the flow has for a failure."""
        step, now = record.step, self._deps.clock.now()
        output, error, replaced = came.output, came.error, False
        fallback = self._scope.version.flow.declared(step).fallback
        if error is not None and fallback is not None and fallback.is_value:
            try:
                output, error, replaced = fill(fallback.value, known), None, True
            except ExpressionError as broken:
                broken.detail = f"`fallback`: {broken.detail}"
                error = broken
        failure = None if error is None else Failure.of(error, step)
        fields = {
            "status": StepStatus.SUCCEEDED if failure is None else StepStatus.FAILED,
            "output": output,
            "error": failure,
            "handled": failure is not None and survives,
            "fallback": replaced,
            "finished_at": now,
            "due": now if came.is_due else None,
        }
        if failure is None:
            known = {**known, **self._scope.version.flow.named(step, output)}
        result = Update(found.path, StepRecord.fields_of(fields), found.revision)
        status = StepStatus.SUCCEEDED if failure is None else StepStatus.FAILED
        return End(status, result, known, failure)

    def _standing(self, found: Document) -> Standing:
        async def standing() -> StepRecord | None:
            now = await self._deps.store.get(found.path)
            if now is not None and now.revision == found.revision:
                return None
            record = None if now is None else StepRecord.of(now.data)
            if record is None or not record.status.is_final:
                raise ClaimLostError(f"{found.path} has changed")
            return record

        return standing

    async def _bury(self, step: str, place: Place | None, failure: Failure) -> None:
        """Leaves a dead letter: the run has ended with the step."""
        stage, message = self._scope.hand_over(step, {}, place)
        await self._deps.bus.publish(f"{stage}-dead", [dead_letter(message, stage, failure)])
