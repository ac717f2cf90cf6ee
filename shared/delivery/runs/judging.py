"""Starts the flows that judge a run which has succeeded, each once, for a share of the runs.

Decides what they are told. Whatever is wrong with that is told of in the log, and touches no run.
"""

from __future__ import annotations

import json

from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.runs.ending import require_fitting
from shared.delivery.runs.opening import scope_of_run
from shared.delivery.scope import load
from shared.domain.budgets.records import BUDGETS, MOST_ABOVE, Balance, Owner
from shared.domain.envelope import Message
from shared.domain.events import derived
from shared.domain.expressions import fill, names
from shared.domain.model import Json
from shared.domain.records import RunRecord, RunStatus
from shared.domain.rollouts.judges import JUDGED_RUN, Judge, chosen, judging_id, judging_name
from shared.domain.starts.by_name import by_name
from shared.domain.version import FlowVersion
from shared.errors import BudgetExceededError, ExpressionError, Permanent, VersionMissingError
from shared.ports import Document


async def start_judges(found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """Publishes the events that start them; the same run gives the same ones.

    A run in which what is judged was skipped is not judged, nor is one that goes beside another.
    """
    if run.status is not RunStatus.SUCCEEDED or run.shadow_of is not None:
        return True
    try:
        version = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:  # nobody knows by now whether it names any
        return True
    for outcome in chosen(version.flow.judge, run.flow, run.run_id):
        try:
            await _start(outcome, found, run, version, deps)
        except Permanent as error:
            is_meant = isinstance(error, BudgetExceededError)
            told = f"run {run.run_id} is not judged: {outcome}: {error}"
            deps.telemetry.log("INFO" if is_meant else "WARNING", told, kind="judge")
    return True


async def _start(
    outcome: str, found: Document, run: RunRecord, version: FlowVersion, deps: Deps
) -> None:
    await _require_money(run, version, deps)
    given = await _given(found, run, version, version.flow.judge[outcome], deps)
    if given is not None:
        data = json.dumps({"run": run.run_id, "given": given}, ensure_ascii=False).encode()
        attributes = {**_attributes(run, outcome), **_budgets(run, version)}
        await deps.bus.publish("events", [Message(data, attributes)])


async def _require_money(run: RunRecord, version: FlowVersion, deps: Deps) -> None:
    """Raises BudgetExceededError where runs have half of the day's money left, or less."""
    budget, now = version.flow.budget, deps.clock.now()
    for account in budget.accounts(None, run.flow, now) if budget is not None else ():
        found = await deps.store.get(account.path)
        balance = Balance.of(found.data) if found is not None else Balance()
        if account.lack(balance.taken + balance.taken, balance.raised).is_some:
            limit = account.of_limit(balance.raised)
            raise BudgetExceededError(f"{account.told} has used half of {limit}")


def _budgets(run: RunRecord, version: FlowVersion) -> dict[str, str]:
    """Whose days the judge's calls count against."""
    own = Owner(run.run_id, run.flow, run.flow_version).encode()
    owners = [*run.budgets, *([own] if version.flow.budget is not None else [])]
    text = ",".join(owners)
    return {BUDGETS: text} if text and len(text.encode()) <= MOST_ABOVE else {}


async def _given(
    found: Document, run: RunRecord, version: FlowVersion, judge: Judge, deps: Deps
) -> dict[str, Json] | None:
    """What the judge is given; None where a step that it is to judge has no output."""
    read = names(judge.arguments)
    scope = scope_of_run(run, found, version)
    known = await load(deps.store, scope, read & (version.flow.steps.keys() | {"event"}))
    try:
        given = fill(judge.arguments, {**known, "run": scope.run_variables()})
        require_fitting(given, "what the judge is given")
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"what the judge is given is no JSON: {error}") from error
    except ExpressionError:
        if read & version.flow.steps.keys() <= known.keys():
            raise
        return None
    return dict(given)


def _attributes(run: RunRecord, outcome: str) -> dict[str, str]:
    return {
        **derived(run.extensions),
        "ce-specversion": "1.0",
        "ce-id": judging_id(run.run_id, outcome),
        "ce-source": f"//segue/runs/{run.run_id}",
        **by_name(judging_name(run.flow, outcome)),
        JUDGED_RUN: run.run_id,
        "correlationid": run.correlation_id,
        "causationid": run.event_id,
        "traceparent": run.traceparent,
        "content-type": "application/json",
    }
