"""Runs as `segue show --json` gives them, and the console: put together from the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.delivery.budgets.answering import is_open
from shared.delivery.budgets.telling import budgets_of
from shared.delivery.commands.commanding import RunUnknownError
from shared.delivery.deps import Deps
from shared.delivery.runs.standing import status_of
from shared.delivery.runs.undoing import undone_by
from shared.domain.agents.notes import Begun, CallMade, TurnTaken
from shared.domain.budgets.declared import MICRO
from shared.domain.budgets.records import MoreAsked
from shared.domain.chain import StepStatus
from shared.domain.instances import Instance, by_part, instance_of
from shared.domain.mapped import Mapped
from shared.domain.records import RunRecord, RunStatus, StepRecord, Usage, run_path, step_path
from shared.domain.rollouts.outcomes import OutcomeRecord, outcomes_of
from shared.domain.starts.control import Turn
from shared.domain.starts.lanes import ControlRecord, control_path
from shared.domain.waiting import Awaited
from shared.errors import VersionMissingError
from shared.ports import Condition, Query

Report = dict[str, Any]
_AT_ONCE = 200  # records read together


async def report_of(run_id: str, deps: Deps) -> Report:
    """The whole run with its steps in the flow's order. Raises RunUnknownError."""
    found = await deps.store.get(run_path(run_id))
    if found is None:
        raise RunUnknownError(f"there is no run {run_id!r}")
    run = RunRecord.of(found.data)
    records = await _records(run, deps)
    steps = {
        name: step_report(record, items_of(name, records))
        for name, record in records.items()
        if instance_of(name).is_whole
    }
    known = [record for record in records.values() if record is not None]
    return {
        **summary_of(run, status_of(run, known)),
        "outputs": run.outputs,
        "error": run.error.model_dump() if run.error else None,
        "redrives": run.redrives,
        **(await _line(run, deps)),
        **({"parent": run.parent.model_dump()} if run.parent else {}),
        **await _relations(run, deps),
        **await _outcomes(run, deps),
        **await _board(run, known, deps),
        "steps": steps,
        "totals": {
            **_totals(known),
            **({"budget": budgets} if (budgets := await budgets_of(run, deps)) else {}),
        },
    }


async def _line(run: RunRecord, deps: Deps) -> Report:
    """Why a run that waits does: when it is due, for what key, and how many come before it."""
    if not run.is_in_line or run.control is None:
        return {}
    found = await deps.store.get(control_path(run.control))
    lane = ControlRecord.of(found.data) if found is not None else None
    by, own = ("ticket", run.ticket) if lane is not None and lane.in_order else ("due", run.due)
    where: tuple[Condition, ...] = (("control", "==", run.control), ("turn", "==", Turn.WAITING))
    before = await deps.store.count(Query("runs", (*where, (by, "<", own))))
    key = lane.key if lane is not None else ""
    return {"waits": {"key": key, "before": before, "due": _told(run.due)}}


async def _relations(run: RunRecord, deps: Deps) -> Report:
    """The runs that this one is there for, or that is there for this one."""
    related = {
        "hook_of": run.hook_of,
        "undoes": run.undoes,
        "fallback_of": run.fallback_of,
        "shadow_of": run.shadow_of,
        "judge_of": run.judge_of,
        "undone_by": await undone_by(run.run_id, deps) if run.error is not None else None,
    }
    return {name: other for name, other in related.items() if other is not None}


async def _outcomes(run: RunRecord, deps: Deps) -> Report:
    """What was said of how well the run did, by name."""
    found = await deps.store.find(Query(outcomes_of(run.run_id)))
    records = [OutcomeRecord.of(one.data) for one in found]
    told = {
        one.name: {"value": one.value, "by": one.by, "at": _told(one.at)}
        for one in sorted(records, key=lambda one: one.name)
    }
    return {"outcomes": told} if told else {}


async def _board(run: RunRecord, known: Iterable[StepRecord], deps: Deps) -> Report:
    """What the agents of the run have on their blackboard; read where it has any."""
    if not any(isinstance(record.agent, Begun) for record in known):
        return {}
    # Loaded where a run has agents.
    from shared.delivery.agents.blackboard import entries_of  # noqa: PLC0415

    entries = await entries_of(run.run_id, deps.store)
    return {"blackboard": {one.key: one.shown() for one in entries}} if entries else {}


def summary_of(run: RunRecord, status: RunStatus | None = None) -> Report:
    """A run in one row. `status` is how it stands by its steps, where that is known."""
    return {
        "run_id": run.run_id,
        "flow": run.flow,
        "flow_version": run.flow_version,
        "status": (status or run.status).value,
        "correlation_id": run.correlation_id,
        "event": {"id": run.event_id, "type": run.event_type},
        "created_at": _told(run.created_at),
        "finished_at": _told(run.finished_at),
        **({"variants": run.variants} if run.variants else {}),
        "paused": run.is_paused,
        **(_pause(run) if run.is_paused else {}),
    }


def _pause(run: RunRecord) -> Report:
    told = {"by": run.paused_by, "reason": run.pause_reason}
    given = {f"paused_{name}": text for name, text in told.items() if text is not None}
    return {"paused_at": _told(run.paused_at), **given}


def step_report(record: StepRecord | None, items: Sequence[StepRecord | None] = ()) -> Report:
    """A step with its `items`, where it is mapped; one that nothing is recorded of is pending."""
    if record is None:
        return {"status": StepStatus.PENDING.value, "attempts": 0, "output": None, "error": None}
    usage = sum((item.usage for item in items if item), record.usage)
    return {
        "status": record.status.value,
        "attempts": len(record.attempts),
        "output": record.output,
        "error": record.error.model_dump() if record.error else None,
        "started_at": _told(record.started_at),
        "finished_at": _told(record.finished_at),
        "prompt": record.prompt.model_dump() if record.prompt else None,
        "model": record.model,
        "tokens": {"input": usage.tokens.input, "output": usage.tokens.output},
        "cost_usd": usage.cost_usd,
        "llm_calls": usage.llm_calls,
        "ledger": [attempt.model_dump(mode="json") for attempt in record.attempts],
        **({"child": record.child.run_id} if record.child else {}),
        **({"handled": True} if record.handled else {}),
        **({"held": True} if record.held and not record.status.is_final else {}),
        **({"fallback": True} if record.fallback else {}),
        **({"cached": True} if record.cached else {}),
        **({"due": _told(record.due)} if record.due else {}),
        **(
            {"waits_for": _awaited(record.awaited)}
            if record.awaited and record.is_open_wait
            else {}
        ),
        **({"waits_for": _money(record.asks)} if record.asks and is_open(record) else {}),
        **({"answers": record.answers} if record.answers else {}),
        **({"sources": record.sources} if record.sources else {}),
        **(_map_report(record.mapped, items) if record.mapped else {}),
        **(_agent_report(items) if isinstance(record.agent, Begun) else {}),
    }


def _agent_report(parts: Sequence[StepRecord | None]) -> Report:
    """Its turns in order, each with the calls that it asked for."""
    turns: list[Report] = []
    for record in parts:
        if record is None:
            continue
        told = {"name": record.step, **step_report(record)}
        if isinstance(record.agent, TurnTaken) and record.agent.speaker is not None:
            told["speaker"] = record.agent.speaker
        if isinstance(record.agent, CallMade):
            told |= {"tool": record.agent.call.name, "args": record.agent.call.args}
        if instance_of(record.step).is_call and turns:
            turns[-1]["calls"].append(told)
        else:
            turns.append({**told, "calls": []})
    return {"turns": turns}


def _awaited(awaited: Awaited) -> Report:
    """What a step waits for, and until when; only what there is to say."""
    about = {
        "for": awaited.what,
        "signal": awaited.name,
        "approvers": list(awaited.approvers),
        "message": awaited.told,
        "type": awaited.type,
        "key": awaited.value,
        "until": _told(awaited.until),
    }
    return {name: value for name, value in about.items() if value not in (None, [])}


def _money(asks: MoreAsked) -> Report:
    """What a step asks for whose budget is used up, beyond the limit."""
    lack = {"usd": asks.usd / MICRO, "tokens": asks.tokens}
    return {"for": "money", "message": asks.told, **{key: n for key, n in lack.items() if n}}


def _map_report(mapped: Mapped, items: Sequence[StepRecord | None]) -> Report:
    """How many items are how far, then each of them in order."""
    statuses = Counter((item.status if item else StepStatus.PENDING).value for item in items)
    summary = {status.value: statuses[status.value] for status in StepStatus}
    return {
        "summary": {"size": mapped.size, **{name: n for name, n in summary.items() if n}},
        "errors": [error.model_dump() for error in mapped.errors],
        "items": [{"index": index, **step_report(item)} for index, item in enumerate(items)],
    }


def items_of(step: str, records: Mapping[str, StepRecord | None]) -> Sequence[StepRecord | None]:
    """The records of a mapped step's items, in order; None where nothing is recorded yet.

    Of an agent, those of its turns and calls.
    """
    record = records.get(step)
    if record is not None and isinstance(record.agent, Begun):
        named = {name: instance_of(name) for name in records}
        inner = [one for one in named.values() if one.step == step and one.part is not None]
        return [records[str(one)] for one in sorted(inner, key=by_part)]
    size = record.mapped.size if record is not None and record.mapped is not None else 0
    return [records.get(str(Instance(step, index))) for index in range(size)]


async def _records(run: RunRecord, deps: Deps) -> dict[str, StepRecord | None]:
    """By name: all steps in the flow's order, then the items of those that are mapped."""
    try:
        version = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:  # what is recorded can still be shown
        found = await deps.store.find(Query(f"{run_path(run.run_id)}/steps"))
        return {one.name: StepRecord.of(one.data) for one in found}
    records = await _read(run, list(version.flow.steps), deps)
    items = [
        str(Instance(name, index))
        for name, record in records.items()
        if record is not None and record.mapped is not None
        for index in range(record.mapped.size)
    ]
    agents = [name for name, one in records.items() if one and isinstance(one.agent, Begun)]
    parts = [one for name in agents for one in await _parts(run, name, deps)]
    return {**records, **await _read(run, items, deps), **{one.step: one for one in parts}}


async def _parts(run: RunRecord, step: str, deps: Deps) -> list[StepRecord]:
    """The turns and calls of an agent."""
    query = Query(f"{run_path(run.run_id)}/steps", (("item_of", "==", step),))
    return [StepRecord.of(one.data) for one in await deps.store.find(query)]


async def _read(run: RunRecord, names: list[str], deps: Deps) -> dict[str, StepRecord | None]:
    """A bounded number at a time: a map may have thousands of items."""
    records: dict[str, StepRecord | None] = {}
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        found = await deps.store.get_many([step_path(run.run_id, name) for name in some])
        pairs = zip(some, found, strict=True)
        records.update({name: StepRecord.of(one.data) if one else None for name, one in pairs})
    return records


def _totals(records: Iterable[StepRecord]) -> Report:
    total = sum((record.usage for record in records), Usage())
    return {
        "llm_calls": total.llm_calls,
        "tokens": {"input": total.tokens.input, "output": total.tokens.output},
        "cost_usd": total.cost_usd,
    }


def _told(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
