"""Opens the run that undoes another one, in the commit that notes that its end has been heard.

So a run that is redriven in that very moment is either not undone, or not redriven. What undoing
consists of is decided in `shared.domain.undoing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.maps.opening import Maps
from shared.delivery.progress import Progress
from shared.delivery.runs.opening import scope_of_run
from shared.delivery.scope import load
from shared.delivery.telling import tell_opened
from shared.domain import chain
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, RunStatus, StepRecord, run_path, step_path
from shared.domain.undoing import Done, undo_run_id, undoing_of
from shared.domain.version import FlowVersion
from shared.ports import Create, Document, Query, Update

_UNDONE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})
Found = Mapping[str, list[Document]]  # by step: its own record, then those that it stands for


async def nothing_is_under_way(
    found: Document, run: RunRecord, _received: Received, deps: Deps
) -> bool:
    """Whether every step that can be undone has come to rest: until then nothing is undone.

    Whoever has let its lease pass is not waited for, and loses its claim: it records nothing more.
    Raises Conflict where it does so in this very moment.
    """
    version = await _to_be_undone(run, deps)
    if version is None:
        return True
    now, known = deps.clock.now(), await _records(found, run, version, deps)
    claims = [
        one for each in known.values() for one in each if _is_claimed(StepRecord.of(one.data))
    ]
    passed = [one for one in claims if one.data["lease_until"] <= now]
    for claim in passed:
        freed = {"status": StepStatus.PENDING, "owner": "", "lease_until": None}
        await deps.store.commit([Update(claim.path, StepRecord.fields_of(freed), claim.revision)])
    return len(passed) == len(claims)


async def conclude(found: Document, run: RunRecord, received: Received, deps: Deps) -> bool:
    """Notes that the run's end has been heard, and undoes the run where there is anything to undo.

    Returns whether it did. Raises Conflict where the run has moved meanwhile.
    """
    heard = Update(found.path, {"unheard": False}, found.revision)
    version = await _version(found, run, deps)
    path = run_path(undo_run_id(run.run_id))
    if version is None or await deps.store.get(path) is not None:
        await deps.store.commit([heard])
        await resume(run, received, deps)
        return False
    await deps.flows.ensure_stored(version, stored_at=deps.clock.now())
    record = _record(run, version, received, deps).document()
    opened, _ = await deps.store.commit([Create(path, record), heard])
    tell_opened(deps, record)
    reach("committed")
    await _begin(Document(path, record, opened.revision), version, deps)
    reach("emitted")
    return True


async def resume(run: RunRecord, received: Received, deps: Deps) -> None:
    """Sends the first steps of the run's undoing again where this very message has opened it."""
    found = await deps.store.get(run_path(undo_run_id(run.run_id)))
    undo = RunRecord.of(found.data) if found is not None else None
    if found is None or undo is None or undo.status.is_final:
        return
    if undo.opened_by == received.delivery.message_id:
        version = await deps.flows.pinned(undo.flow, undo.flow_version)
        await _begin(found, version, deps)


async def undone_by(run_id: str, deps: Deps) -> str | None:
    """The run that undoes this one."""
    undo = undo_run_id(run_id)
    return undo if await deps.store.get(run_path(undo)) is not None else None


# -- what is undone -----------------------------------------------------------------------------


async def _to_be_undone(run: RunRecord, deps: Deps) -> FlowVersion | None:
    """The version of a run that has to be undone as far as it has come."""
    if run.status not in _UNDONE or run.was_refused:
        return None
    version = await deps.flows.pinned(run.flow, run.flow_version)
    return version if version.flow.compensates else None


async def _version(found: Document, run: RunRecord, deps: Deps) -> FlowVersion | None:
    version = await _to_be_undone(run, deps)
    if version is None:
        return None
    names = list(version.flow.steps)
    own = await deps.store.get_many([step_path(run.run_id, name) for name in names])
    ended = {one.name for one in own if one is not None and _has_output(StepRecord.of(one.data))}
    stand_ins = {name: step.stand_in for name, step in version.flow.steps.items()}
    sources = {
        name: source
        for name in names
        if (source := name if name in ended else stand_ins[name]) in ended
    }
    known = await _records(found, run, version, deps)
    return undoing_of(version, _done(version, known), sources)


def _done(version: FlowVersion, known: Found) -> Iterator[Done]:
    for name, found in known.items():
        records = [StepRecord.of(one.data) for one in found]
        if version.flow.steps[name].foreach is None:
            own = records[0]
            if _took_effect(version, own):
                assert own.finished_at is not None
                yield Done(name, own.finished_at)
            continue
        items = [one for one in records[1:] if _took_effect(version, one)]
        if items:
            last = max(one.finished_at for one in items if one.finished_at is not None)
            indexes = sorted(one.index for one in items if one.index is not None)
            yield Done(name, last, tuple(indexes))


async def _records(found: Document, run: RunRecord, version: FlowVersion, deps: Deps) -> Found:
    """What is recorded of the steps that can be undone."""
    names = [name for name, step in version.flow.steps.items() if step.compensate is not None]
    own = await deps.store.get_many([step_path(run.run_id, name) for name in names])
    known = {one.name: [one] for one in own if one is not None}
    maps = Maps(deps, scope_of_run(run, found, version))
    for name, documents in known.items():
        mapped = StepRecord.of(documents[0].data).mapped
        if mapped is not None:
            items = await maps.records(name, mapped.size)
            documents.extend(one for one in items if one is not None)
        elif StepRecord.of(documents[0].data).has_parts:  # an agent's turns and calls
            steps = f"{run_path(run.run_id)}/steps"
            documents.extend(await deps.store.find(Query(steps, (("item_of", "==", name),))))
    return known


def _has_output(record: StepRecord) -> bool:
    return record.status is StepStatus.SUCCEEDED


def _took_effect(version: FlowVersion, record: StepRecord) -> bool:
    """Whether there is something to undo: a step that a value stands in for has failed."""
    fallback = version.flow.declared(record.step).fallback
    is_replaced = record.fallback and fallback is not None and fallback.is_value
    return _has_output(record) and not is_replaced


def _is_claimed(record: StepRecord) -> bool:
    return record.status is StepStatus.RUNNING and record.lease_until is not None


# -- the run that undoes ------------------------------------------------------------------------


def _record(run: RunRecord, version: FlowVersion, received: Received, deps: Deps) -> RunRecord:
    return RunRecord(
        run_id=undo_run_id(run.run_id),
        flow=version.flow.flow,
        flow_version=version.version,
        correlation_id=run.correlation_id,
        event_key=run.event_key,
        event_id=run.event_id,
        event_type=run.event_type,
        traceparent=run.traceparent,
        opened_by=received.delivery.message_id,
        created_at=deps.clock.now(),
        undoes=run.run_id,
        extensions=run.extensions,
        expire_at=deps.expire_at(),
    )


async def _begin(found: Document, version: FlowVersion, deps: Deps) -> None:
    scope = scope_of_run(RunRecord.of(found.data), found, version)
    [first] = version.flow.roots
    wanted = version.wanted_steps(first) | (version.wanted(first) & {"event"})
    variables = {**await load(deps.store, scope, wanted), "run": scope.run_variables()}
    plan = chain.start(version.flow, variables)
    await Progress(deps, scope).follow(plan, [], variables)
