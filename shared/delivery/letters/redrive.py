"""Continues what a dead letter stopped, once its cause is gone; repeats no finished step.

A run is continued from its records, not from the letter: every step that failed, or that the run's
end kept from starting, is sent again. A letter without a run goes back to its stage as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.delivery.children.kinship import above, below
from shared.delivery.commands.holding import let_go
from shared.delivery.deps import Deps
from shared.delivery.frontier import send_frontier, status_now, stopped_the_run
from shared.delivery.runs.aftermath import must_hear
from shared.delivery.runs.undoing import undone_by
from shared.delivery.starts.admission import admitted_again
from shared.domain.chain import StepStatus
from shared.domain.envelope import Message
from shared.domain.events import REDRIVE
from shared.domain.instances import instance_of
from shared.domain.moving import obstacles
from shared.domain.records import (
    DeadLetterRecord,
    LetterStatus,
    RunRecord,
    RunStatus,
    StepRecord,
    dead_letter_path,
    run_path,
    step_path,
)
from shared.domain.version import FlowVersion
from shared.errors import NotFoundError, RedriveRefusedError, VersionMissingError
from shared.ports import Document, Query, Update, Write


@dataclass(frozen=True)
class Redriven:
    """What was set going again."""

    letter_id: str
    run_id: str | None
    steps: tuple[str, ...]


async def redrive(letter_id: str, deps: Deps, *, repin: bool = False) -> Redriven:
    """Redrives a letter and, where it stopped a run, all open letters of that run.

    A run's id stands for its letters; so a run that failed without one can be continued too.

    With `repin` the run moves to today's version of its flow, which must have the same steps and
    needs. Raises NotFoundError, RedriveRefusedError.
    """
    found = await deps.store.get(dead_letter_path(letter_id))
    if found is None:
        if await deps.store.get(run_path(letter_id)) is None:
            raise NotFoundError(f"there is no dead letter and no run {letter_id!r}")
        return await _redrive_run(letter_id, letter_id, deps, repin=repin)
    letter = DeadLetterRecord.of(found.data)
    if letter.status is LetterStatus.REDRIVEN:
        under_way = await _under_way(letter.run_id, deps)
        if under_way is None:
            raise RedriveRefusedError(f"dead letter {letter_id} was redriven already")
        return await _redrive_run(letter_id, under_way, deps, repin=repin)
    if letter.run_id is not None and letter.step is not None:
        return await _redrive_run(letter_id, letter.run_id, deps, repin=repin)
    await _send_back(letter, deps)
    await _mark(found, deps)
    return Redriven(letter_id, letter.run_id, ())


async def _under_way(run_id: str | None, deps: Deps) -> str | None:
    """What is left to do where whoever redrove a run has died: it, or the first above it, that
    goes on, or has failed with what is below it and was not taken along.
    """
    while run_id is not None:
        found = await deps.store.get(run_path(run_id))
        run = RunRecord.of(found.data) if found is not None else None
        if run is not None and run.status is RunStatus.RUNNING:
            return run_id
        if (failed := await above(run_id, deps)) is not None:
            return failed
        run_id = run.parent.run_id if run is not None and run.parent is not None else None
    return None


async def _redrive_run(letter_id: str, run_id: str, deps: Deps, *, repin: bool) -> Redriven:
    """The run, with what has failed below it, and then the runs above that failed with it."""
    parent = await above(run_id, deps)
    if parent is not None:
        await _require_not_undone(parent, deps)
    if parent is not None and await _is_replaced(run_id, deps):
        done = await _mark_all(letter_id, run_id, deps)
    else:
        done = await _redrive_with_children(letter_id, run_id, deps, repin=repin)
    if parent is not None:
        await _redrive_run(parent, parent, deps, repin=False)
    return done


async def _redrive_with_children(
    letter_id: str, run_id: str, deps: Deps, *, repin: bool
) -> Redriven:
    """Children first: by the time their parent looks at them again, none has failed."""
    await _require_not_undone(run_id, deps)
    children = await below(run_id, deps)
    for child in children.failed:
        await _redrive_with_children(child, child, deps, repin=repin)
    done = await _redrive_one(letter_id, run_id, deps, repin=repin)
    for child in children.refused:  # the step opens another one in its place
        await _mark_all(child, child, deps)
    return done


async def _mark_all(letter_id: str, run_id: str, deps: Deps) -> Redriven:
    """Nobody need see to the run's letters any more."""
    for letter in await _open_letters(run_id, deps):
        await _mark(letter, deps)
    return Redriven(letter_id, run_id, ())


async def _is_replaced(run_id: str, deps: Deps) -> bool:
    """Whether a redrive of its parent sees to a child: by another one, or with what it came to."""
    found = await deps.store.get(run_path(run_id))
    run = RunRecord.of(found.data) if found is not None else None
    if run is None or run.was_refused or run.status is RunStatus.SUCCEEDED:
        return True
    return await undone_by(run_id, deps) is not None


async def _require_not_undone(run_id: str, deps: Deps) -> None:
    if undo := await undone_by(run_id, deps):
        told = f"what run {run_id} has done is undone by run {undo}; start it again with another id"
        raise RedriveRefusedError(told)


async def _redrive_one(letter_id: str, run_id: str, deps: Deps, *, repin: bool) -> Redriven:
    letters = await _open_letters(run_id, deps)
    refusals = [found for found in letters if _is_refusal(found)]
    if refusals:  # the run never began: what refused it decides again
        for found in refusals:
            await _send_back(DeadLetterRecord.of(found.data), deps)
            await _mark(found, deps)
        return Redriven(letter_id, run_id, ())
    steps: tuple[str, ...] = ()
    if not letters or not await _has_succeeded(run_id, deps):
        redrives, steps = await _continue_run(run_id, deps, repin=repin)
        known = await _open_letters(run_id, deps)
        letters = [each for each in known if DeadLetterRecord.of(each.data).redrives < redrives]
    for letter in letters:  # all, where the run has succeeded; else none of a failure since
        await _mark(letter, deps)
    return Redriven(letter_id, run_id, steps)


async def _has_succeeded(run_id: str, deps: Deps) -> bool:
    found = await deps.store.get(run_path(run_id))
    return found is not None and RunRecord.of(found.data).status is RunStatus.SUCCEEDED


def _is_refusal(letter: Document) -> bool:
    return letter.data["stage"] == "route" and letter.data["step"] is None


async def _open_letters(run_id: str, deps: Deps) -> list[Document]:
    letters = await deps.store.find(Query("dead_letters", (("run_id", "==", run_id),)))
    return [letter for letter in letters if letter.data["status"] == LetterStatus.OPEN.value]


async def _mark(letter: Document, deps: Deps) -> None:
    fields = {"status": LetterStatus.REDRIVEN.value}
    await deps.store.commit([Update(letter.path, fields, letter.revision)])


# -- a message without a run --------------------------------------------------------------------


async def _send_back(letter: DeadLetterRecord, deps: Deps) -> None:
    """The original bytes, to the topic they came from, marked as sent again."""
    data = letter.data if letter.blob is None else await deps.blobs.get(letter.blob)
    attributes = {**letter.attributes, REDRIVE: str(letter.redrives + 1)}
    topic = "events" if letter.stage == "route" else letter.stage
    await deps.bus.publish(topic, [Message(data or b"", attributes)])


# -- a run --------------------------------------------------------------------------------------


async def _continue_run(run_id: str, deps: Deps, *, repin: bool) -> tuple[int, tuple[str, ...]]:
    """(how often the run has been redriven by now, the steps sent)."""
    found = await deps.store.get(run_path(run_id))
    if found is None:
        raise RedriveRefusedError(f"run {run_id} is no longer stored")
    run = RunRecord.of(found.data)
    if run.status is RunStatus.CANCELLED:
        told = f"run {run_id} was cancelled, and that is for good; start it again with another id"
        raise RedriveRefusedError(told)
    await _require_not_undone(run_id, deps)  # since it was read: else the two would not meet
    if run.status not in {RunStatus.FAILED, RunStatus.RUNNING}:
        raise RedriveRefusedError(f"run {run_id} has {run.status}; only a failed run can go on")
    steps = await _steps(run, deps)
    version = await _version(run, steps, deps, repin=repin)
    reopened = await _reopen(found, run, version, steps, deps)
    if RunRecord.of(reopened.data).is_in_line:
        return run.redrives + 1, ()
    statuses = {step.name: _status_now(step) for step in steps}
    return run.redrives + 1, await send_frontier(reopened, version, statuses, deps)


async def go_on(found: Document, version: FlowVersion, deps: Deps) -> tuple[str, ...]:
    """Sends every step whose turn it is in a run that goes on, by what is recorded of its steps."""
    steps = await _steps(RunRecord.of(found.data), deps)
    return await send_frontier(found, version, {s.name: _status_now(s) for s in steps}, deps)


async def _steps(run: RunRecord, deps: Deps) -> list[Document]:
    """What is recorded of the run's steps; of mapped ones, as wholes."""
    try:
        version = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:
        found = await deps.store.find(Query(f"{run_path(run.run_id)}/steps"))
        return [step for step in found if instance_of(step.name).is_whole]
    paths = [step_path(run.run_id, name) for name in version.flow.steps]
    return [step for step in await deps.store.get_many(paths) if step is not None]


async def _version(
    run: RunRecord, steps: list[Document], deps: Deps, *, repin: bool
) -> FlowVersion:
    pinned = None if repin else await deps.flows.pinned(run.flow, run.flow_version)
    if pinned is not None:
        return pinned
    today = deps.flows.current().get(run.flow)
    if today is None:
        raise RedriveRefusedError(f"there is no flow {run.flow!r} today to move the run to")
    if deps.resolver is not None:
        today = await deps.resolver.resolved(today, None, deps.clock.now())
    found = await _obstacles(today, run, steps, deps) if today.version != run.flow_version else ()
    if found:
        raise RedriveRefusedError(
            f"today's {run.flow!r} has other steps or needs than the run's version"
            f" {run.flow_version}: {'; '.join(found)}"
        )
    await deps.flows.ensure_stored(today, stored_at=deps.clock.now())
    return today


async def _obstacles(
    today: FlowVersion, run: RunRecord, steps: list[Document], deps: Deps
) -> tuple[str, ...]:
    recorded = {step.name: _status_now(step) for step in steps}
    try:
        before = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:  # its shape is lost; what is recorded must at least have its place
        gone = sorted(recorded.keys() - today.flow.steps.keys())
        return tuple(f"step {name!r} is gone" for name in gone)
    return obstacles(before.flow, today.flow, recorded)


async def _reopen(
    found: Document, run: RunRecord, version: FlowVersion, steps: list[Document], deps: Deps
) -> Document:
    """Run and failed steps in one commit: running, and pending; nothing is held back any more."""
    changed = {
        "status": RunStatus.RUNNING,
        "error": None,
        "finished_at": None,
        "flow_version": version.version,
        "redrives": run.redrives + 1,
        "deadline": _deadline(version, deps),
        "paused_at": None,
        "unheard": must_hear(version.flow, awaited=run.parent is not None),
    }
    turn, fences = await admitted_again(run, deps)
    changed |= turn
    writes: list[Write] = [Update(found.path, RunRecord.fields_of(changed), found.revision)]
    writes += fences
    pending = {
        "status": StepStatus.PENDING,
        "held": False,
        "error": None,
        "finished_at": None,
        "fallback": False,
        "due": None,
    }
    writes.extend(
        Update(step.path, StepRecord.fields_of(pending), step.revision)
        for step in steps
        if _stopped_the_run(step)
    )
    writes.extend(
        Update(step.path, StepRecord.fields_of(free), step.revision)
        for step in steps
        if not _stopped_the_run(step) and (free := let_go(StepRecord.of(step.data)))
    )
    written = await deps.store.commit(writes)
    data = {**found.data, **RunRecord.fields_of(changed)}
    return Document(found.path, data, written[0].revision)


def _deadline(version: FlowVersion, deps: Deps) -> datetime | None:
    timeout = version.flow.timeout
    return deps.clock.now() + timedelta(seconds=timeout) if timeout else None


def _stopped_the_run(step: Document) -> bool:
    return stopped_the_run(StepRecord.of(step.data))


def _status_now(step: Document) -> StepStatus:
    return status_now(StepRecord.of(step.data))
