"""Takes signals to a run: the first of a name counts, and one that is early is kept.

A signal is stored with the end of the wait that it ends; where nobody waits yet, before a second
look: who opens a wait records it before looking for a signal, so one of the two sees the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.delivery.agents.waiting import calls_tool, wait_of
from shared.delivery.budgets.answering import (
    answer,
    asking_step,
    go_on,
    is_answered_by,
    refusal_of,
)
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.runs.opening import scope_of_run
from shared.delivery.scope import Scope
from shared.delivery.waits.waking import Waking, arrived
from shared.domain.commands import Signal
from shared.domain.events import Event
from shared.domain.flow import Flow
from shared.domain.instances import instance_of
from shared.domain.records import RunRecord, StepRecord, run_path, step_path
from shared.domain.signals import SignalRecord, barred, signal_path, unfit
from shared.domain.step import WaitStep
from shared.domain.waiting import ForSignal, Wait
from shared.errors import ClaimBusyError, ClaimLostError, Conflict
from shared.ports import Create, Document, Store, Update
from shared.prompting.render import schema_problem
from shared.prompting.versions import FlowVersions

if TYPE_CHECKING:
    from shared.delivery.agents.deciding import Deciding

_TRIES = 4  # at records that others are writing


@dataclass(frozen=True)
class Look:
    """What a signal finds. `refused` says why it cannot be taken, `reason` does in a word.

    `wait` is what the step declares. `is_again`: it has been stored before, by the same event.
    `is_about_money`: the step asks for more than its budget has.
    """

    run: Document | None = None
    step: Document | None = None
    signal: Document | None = None
    reason: str = ""
    refused: str = ""
    wait: Wait | None = None
    is_again: bool = False
    is_about_money: bool = False

    @property
    def record(self) -> StepRecord | None:
        return None if self.step is None else StepRecord.of(self.step.data)


async def look(command: Signal, event: str | None, store: Store, flows: FlowVersions) -> Look:
    """Whether the run takes the signal. `event` is the key of the one that brings it."""
    run = await store.get(run_path(command.run))
    if run is None:
        return Look(reason="no-run", refused=f"there is no run {command.run!r}")
    record = RunRecord.of(run.data)
    version = await flows.pinned(record.flow, record.flow_version)
    is_call = calls_tool(version.flow, command.name)
    step = command.name if is_call else version.flow.awaits_signal(command.name)
    if step is None and (asking := await asking_step(command, store)) is not None:
        is_again = is_answered_by(asking, event)
        refused = ("", "") if is_again else refusal_of(command, asking)
        return Look(run, asking, None, *refused, is_again=is_again, is_about_money=True)
    if step is None:
        told = f"no step of flow {record.flow!r} waits for {command.name!r}; {_known(version.flow)}"
        return Look(run, reason="nobody-waits", refused=told)
    paths = [step_path(command.run, step), signal_path(command.run, command.name)]
    found, signal = await store.get_many(paths)
    if signal is not None and signal.data["event"] == event:
        return Look(run, found, signal, is_again=True)
    declared = version.flow.steps[instance_of(step).step]
    wait = declared.wait if isinstance(declared, WaitStep) else wait_of(found)
    if wait is None:
        told = f"{step} of run {record.run_id} does not wait for anybody"
        return Look(run, found, signal, "nobody-waits", told)
    reason, told = _refusal(command, record, wait, found, signal)
    return Look(run, found, signal, reason, told, wait)


def _known(flow: Flow) -> str:
    signals = [
        declared.signal(name)
        for name, declared in flow.steps.items()
        if isinstance(declared, WaitStep)
    ]
    known = ", ".join(sorted(name for name in signals if name is not None))
    return f"there is {known}" if known else "it waits for none"


def _refusal(
    command: Signal, run: RunRecord, wait: Wait, step: Document | None, signal: Document | None
) -> tuple[str, str]:
    """(reason, what is wrong), empty where nothing is."""
    name = command.name
    if run.status.is_final:
        return "run-ended", f"run {run.run_id} has {run.status}"
    if refused := barred(wait, command.by):
        return "not-approver", refused
    wrong = unfit(wait, command.data)
    schema = wait.data_schema if isinstance(wait, ForSignal) else None
    broken = schema_problem(schema, command.data) if schema is not None else None
    if wrong or broken:
        return "unfit", wrong or f"signal {name!r}: data {broken}"
    record = None if step is None else StepRecord.of(step.data)
    if record is not None and record.status.is_final:
        return "too-late", f"step {record.step!r} has {record.status} already"
    if signal is not None and not _is_used_up(signal, record):
        return "already", f"run {run.run_id} has had the signal {name!r} before"
    return "", ""


def _is_used_up(signal: Document, record: StepRecord | None) -> bool:
    """Whether it ended the wait before a redrive, and is not what the wait opened anew is for."""
    awaited = record.awaited if record is not None else None
    if record is None or awaited is None:
        return False
    return signal.data["event"] in {*awaited.past, awaited.settled_by}


# -- obeying ------------------------------------------------------------------------------------


async def take_signal(command: Signal, event: Event, _received: Received, deps: Deps) -> Handled:
    """Stores the signal and ends the wait for it. One that cannot be taken is told of and dropped.

    Raises ClaimBusyError where the records keep changing.
    """
    for _ in range(_TRIES):
        seen = await look(command, event.key, deps.store, deps.flows)
        reach("decoded")
        if seen.refused:
            about = f"signal {command.name!r} to run {command.run} is not taken"
            deps.telemetry.log("WARNING", f"{about}: {seen.refused}", reason=seen.reason)
            return Handled(seen.reason)
        try:
            if seen.is_about_money and seen.step is not None:
                return await _answer(command, event, seen.step, deps, is_again=seen.is_again)
            return await _Taking(command, event, deps).take(seen)
        except (Conflict, ClaimLostError):
            continue
    raise ClaimBusyError(f"signal {command.name!r} to run {command.run}")


async def _answer(
    command: Signal, event: Event, step: Document, deps: Deps, *, is_again: bool
) -> Handled:
    if not is_again:
        return await answer(command, event, step, deps)
    await go_on(step.path, deps)
    return Handled("repeated")


class _Taking:
    """One signal in the hands of one delivery."""

    def __init__(self, command: Signal, event: Event, deps: Deps) -> None:
        self._command = command
        self._deps = deps
        self._record = SignalRecord(
            run_id=command.run,
            name=command.name,
            data=command.data,
            by=command.by,
            at=event.time,
            event=event.key,
            expire_at=deps.expire_at(),
        )

    async def take(self, seen: Look) -> Handled:
        if seen.is_again:
            return await self._again(seen)
        record = seen.record
        if record is None or not record.is_open_wait:
            await self._deps.store.commit([self._write(seen)])
            reach("worked")
            return await self._again(
                await look(self._command, self._record.event, self._deps.store, self._deps.flows)
            )
        await self._end(seen, [self._write(seen)])
        return Handled("signalled")

    def _write(self, seen: Look) -> Create | Update:
        path = signal_path(self._command.run, self._command.name)
        document = self._record.document()
        if seen.signal is None:
            return Create(path, document)
        return Update(path, document, seen.signal.revision)

    async def _again(self, seen: Look) -> Handled:
        """It is stored: ends the wait for it, or repeats what follows from that."""
        record = seen.record
        if record is None or record.awaited is None:
            return Handled("kept")
        if record.is_open_wait:
            await self._end(seen, [])
            return Handled("signalled")
        if record.awaited.settled_by == self._record.event:
            await self._repeat(seen, record)
        return Handled("repeated")

    async def _repeat(self, seen: Look, record: StepRecord) -> None:
        if record.agent is not None:
            await (await self._deciding(seen)).repeat(record)
        elif record.status.is_final:
            await Waking(self._deps, await self._scope(seen)).repeat(record)

    async def _end(self, seen: Look, kept: list[Create | Update]) -> None:
        record = seen.record
        assert record is not None
        assert seen.step is not None
        if record.agent is not None:
            await (await self._deciding(seen)).end(seen.step, self._record, kept)
            return
        came = arrived(self._record, record, kept)
        if came is not None:  # else it was for an earlier opening of the wait
            await Waking(self._deps, await self._scope(seen)).end(seen.step, came)

    async def _deciding(self, seen: Look) -> Deciding:
        # Loaded where a flow has agents.
        from shared.delivery.agents.deciding import Deciding  # noqa: PLC0415

        return Deciding(self._deps, await self._scope(seen))

    async def _scope(self, seen: Look) -> Scope:
        assert seen.run is not None
        run = RunRecord.of(seen.run.data)
        version = await self._deps.flows.pinned(run.flow, run.flow_version)
        return scope_of_run(run, seen.run, version)
