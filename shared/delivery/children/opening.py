"""Opens children: runs of other flows, which steps of this run wait for or let go their own way.

Decides what is recorded and sent. A child's run follows from its step, so it is opened once,
however often that is repeated. What a child's end means is decided in `homecoming`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import JSON, Scope, dead_letter
from shared.domain.budgets.records import BUDGETS, MOST_ABOVE, Owner
from shared.domain.chain import StepStatus
from shared.domain.commands import Cancel
from shared.domain.envelope import Message, Place
from shared.domain.events import HOPS, MAX_HOPS, REDRIVE, count_in, derived
from shared.domain.expressions import fill
from shared.domain.ids import digest
from shared.domain.instances import Instance, instance_of
from shared.domain.model import Json
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    run_path,
    step_path,
)
from shared.domain.starts.by_name import Child, ChildRef
from shared.domain.step import FlowStep
from shared.errors import (
    ChildNestedError,
    ClaimBusyError,
    Conflict,
    ExpressionError,
    Permanent,
)
from shared.ports import Create, Document, Update

Variables = Mapping[str, Any]
_TRIES = 3


@dataclass(frozen=True)
class Item:
    """An item of a mapped step, with what it sees and where it stands."""

    name: Instance
    variables: Variables
    place: Place


@dataclass(frozen=True)
class Asked:
    """What no step declares: the flow that a model asks for, and the data that it gives."""

    flow: str
    data: Mapping[str, Json]


class Children:
    """Implements `StepOpener` for the children of one run, in the hands of one delivery.

    With `asked` it opens the child of that call of an agent's.
    """

    def __init__(self, deps: Deps, scope: Scope, asked: Asked | None = None) -> None:
        self._deps = deps
        self._scope = scope
        self._asked = asked

    async def record(self, step: str, variables: Variables) -> StepRecord:
        """A step that waits for its child or, having let it go, has succeeded.

        Raises ExpressionError, OutputTooLargeError, ChildNestedError.
        """
        record, message = self._opening(step, variables)
        if record.status.is_final and await self._may_begin(step):
            # Sent first: once it is recorded that it was, nobody might come back for it.
            await self._deps.bus.publish("events", [message])
        return record

    def has_begun(self, found: StepRecord) -> bool:
        """False where it has failed, and is opened anew after a redrive."""
        return found.status is StepStatus.WAITING

    def anew(self, fresh: StepRecord, found: StepRecord) -> StepRecord:
        """Waits for the same child once more: it may have been redriven, or have come to an end."""
        return fresh.model_copy(update={"child": found.child or fresh.child})

    async def begun(self, record: StepRecord, variables: Variables) -> None:
        """Starts the child. In a run that was redriven, looks first at what has become of it.

        The step waits by then. So whoever ends the child either finds that it waits, or has ended
        it before this looks.
        """
        if REDRIVE in self._scope.extensions and await self._is_there(record, variables):
            return
        await self._start(record, variables)

    # -- items ------------------------------------------------------------------------------

    async def open_items(self, items: Sequence[Item]) -> None:
        """Opens items of a mapped step, each with a child of its own; again, where that is done."""
        fresh: list[tuple[StepRecord, Message, Item]] = []
        for item in items:
            try:
                fresh.append((*self._opening(str(item.name), item.variables), item))
            except Permanent as error:
                await self._refuse(item, error)
        if not fresh:
            return
        writes = [Create(self._path(record.step), record.document()) for record, _, _ in fresh]
        try:
            await self._deps.store.commit(writes)
        except Conflict:  # some of them are there already
            for record, _, item in fresh:
                await self._open_item(record, item.variables)
        else:
            await self._deps.bus.publish("events", [message for _, message, _ in fresh])

    async def _open_item(self, record: StepRecord, variables: Variables) -> None:
        path = self._path(record.step)
        write: Create | Update = Create(path, record.document())
        for _ in range(_TRIES):
            with suppress(Conflict):
                await self._deps.store.commit([write])
                await self.begun(record, variables)
                return
            standing = await self._deps.store.get(path)
            found = StepRecord.of(standing.data) if standing is not None else None
            if standing is None or found is None or found.status.is_final or found.held:
                return
            if self.has_begun(found):
                await self.begun(found, variables)
                return
            record = self.anew(record, found)
            write = Update(path, record.document(), standing.revision)
        raise ClaimBusyError(f"step {record.step} of run {record.run_id}")

    async def _refuse(self, item: Item, error: Permanent) -> None:
        """Buries an item that cannot be opened, as a stage would."""
        name = str(item.name)
        stage, message = self._scope.hand_over(name, item.variables, item.place)
        told = type(error)(f"step {name!r}, {error.detail}")
        letter = dead_letter(message, stage, Failure.of(told, name))
        await self._deps.bus.publish(f"{stage}-dead", [letter])

    # -- one child --------------------------------------------------------------------------

    def _opening(self, step: str, variables: Variables) -> tuple[StepRecord, Message]:
        """A first child's record with the message that starts it."""
        now, instance, declared = self._deps.clock.now(), instance_of(step), self._declared(step)
        child = Child(self._scope.run.id, step, declared.flow)
        message = self._message(child, variables)
        record = StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=step,
            stage=self._deps.stage.name,
            status=StepStatus.WAITING,
            started_at=now,
            item_of=instance.step if instance.index is not None else None,
            index=instance.index,
            child=ChildRef(run_id=child.run_id),
            due=now + timedelta(seconds=declared.timeout) if declared.timeout else None,
            expire_at=self._deps.expire_at(),
        )
        if declared.awaited:
            return record, message
        ended = {"status": StepStatus.SUCCEEDED, "finished_at": now, "due": None}
        return record.model_copy(update={**ended, "output": {"run_id": child.run_id}}), message

    def _message(self, child: Child, variables: Variables) -> Message:
        """The event that starts a child; the same child, the same event."""
        carried = derived(self._scope.extensions)
        if (count_in(carried, HOPS) or 0) > MAX_HOPS:
            raise ChildNestedError(f"it would be the child of {MAX_HOPS} runs and events in a row")
        run = self._scope.run
        attributes = {
            **carried,
            **self._budgets(),
            **child.attributes(awaited=self._declared(child.step).awaited),
            "correlationid": run.correlation_id,
            "causationid": run.event_id,
            "traceparent": self._scope.trace.traceparent,
            "content-type": JSON,
        }
        return Message(self._data(child.step, variables), attributes)

    def _budgets(self) -> dict[str, str]:
        """The budgets that the child counts against: its parent's, and those above that."""
        run, own = self._scope.run, self._scope.version.flow.budget
        mine = [] if own is None else [Owner(run.id, run.flow, run.version).encode()]
        text = ",".join([*run.budgets, *mine])
        if len(text.encode()) > MOST_ABOVE:
            raise ChildNestedError("it would be the child of too many runs with budgets")
        return {BUDGETS: text} if text else {}

    def _data(self, step: str, variables: Variables) -> bytes:
        try:
            asked = self._asked  # what a model says is never taken for a template
            data = asked.data if asked else fill(self._declared(step).arguments, variables)
            require_fitting(data, "the data of the child's event")
            return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        except ExpressionError as error:
            error.detail = f"`with`: {error.detail}"
            raise
        except (TypeError, ValueError) as error:
            raise ExpressionError(f"`with` is no JSON: {error}") from error

    async def _may_begin(self, step: str) -> bool:
        """Whether nobody has stopped the step, with its run."""
        found = await self._deps.store.get(self._path(step))
        record = StepRecord.of(found.data) if found is not None else None
        return record is None or not (record.held or record.status is StepStatus.CANCELLED)

    async def _start(self, record: StepRecord, variables: Variables) -> None:
        assert record.child is not None
        flow = self._declared(record.step).flow
        child = Child(record.run_id, record.step, flow, record.child.nth)
        await self._deps.bus.publish("events", [self._message(child, variables)])

    async def _is_there(self, record: StepRecord, variables: Variables) -> bool:
        """Whether the child goes on or has ended as it should; one that cannot is replaced."""
        assert record.child is not None
        paths = [run_path(record.child.run_id), self._path(record.step)]
        found, standing = await self._deps.store.get_many(paths)
        if found is None or standing is None:
            return found is not None
        child = RunRecord.of(found.data)
        if not child.status.is_final:
            return True
        from shared.delivery.runs.undoing import undone_by  # noqa: PLC0415

        is_over = child.status is RunStatus.CANCELLED or child.was_refused
        if is_over or await undone_by(child.run_id, self._deps):
            await self._replace(standing, variables)
            return True
        # Ending a step advances the run, which opens steps.
        from shared.delivery.children.homecoming import Homecoming, came_of  # noqa: PLC0415

        await Homecoming(self._deps, self._scope).end(standing, came_of(child))
        return True

    async def _replace(self, standing: Document, variables: Variables) -> None:
        """Opens the step's next child, in place of one that can never succeed."""
        record = StepRecord.of(standing.data)
        if record.status is not StepStatus.WAITING or record.child is None:
            return
        nth, flow = record.child.nth + 1, self._declared(record.step).flow
        run_id = Child(record.run_id, record.step, flow, nth).run_id
        following = record.model_copy(update={"child": ChildRef(run_id=run_id, nth=nth)})
        fields = StepRecord.fields_of({"child": following.child})
        await self._deps.store.commit([Update(standing.path, fields, standing.revision)])
        await self._start(following, variables)

    def _declared(self, step: str) -> FlowStep:
        if self._asked is not None:
            return FlowStep(flow=self._asked.flow)
        declared = self._scope.version.flow.declared(step)
        assert isinstance(declared, FlowStep)
        return declared

    def _path(self, step: str) -> str:
        return step_path(self._scope.run.id, step)


def cancel_of(child: str, parent: RunRecord, reason: str) -> Message:
    """The command that cancels a child with its parent; the same each time."""
    attributes = {
        "ce-id": digest("cancel", child, parent.run_id),
        "ce-type": Cancel.type,
        "ce-source": f"//segue/runs/{parent.run_id}",
        "correlationid": parent.correlation_id,
        "traceparent": parent.traceparent,
        "content-type": JSON,
    }
    command = {"run": child, "by": f"run {parent.run_id}", "reason": reason}
    return Message(json.dumps(command).encode(), attributes)
