"""Sends the steps of a run whose turn it is, told from its records alone.

That is how a run goes on that had stopped: redriven, or paused and resumed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.maps.items import Items
from shared.delivery.progress import Progress
from shared.delivery.runs.opening import scope_of_run
from shared.delivery.scope import Scope, variables_at
from shared.delivery.settling import Settler
from shared.domain import chain
from shared.domain.chain import StepStatus
from shared.domain.flow import END
from shared.domain.records import RunRecord, StepRecord, step_path
from shared.domain.step import AgentStep
from shared.domain.version import FlowVersion
from shared.ports import Document


def status_now(step: StepRecord) -> StepStatus:
    """As the graph sees it: a failure that the flow does not provide for leads nowhere."""
    return StepStatus.PENDING if stopped_the_run(step) else step.status


def stopped_the_run(step: StepRecord) -> bool:
    """Whether it has failed, and the run with it."""
    return step.status is StepStatus.FAILED and not step.handled


async def send_frontier(
    found: Document,
    version: FlowVersion,
    statuses: Mapping[str, StepStatus],
    deps: Deps,
    *,
    under_way: Collection[str] = (),
) -> tuple[str, ...]:
    """Sends every step whose turn it is, or ends the run where none is left; returns which.

    `statuses` are as `status_now` tells them: what lies behind a failure that stopped the run must
    not be skipped, as a redrive goes on there. Those `under_way` have a message of their own, or
    will have. Any other that is recorded as running is sent too: where somebody does work on it,
    its claim keeps the second message waiting.
    """
    run = RunRecord.of(found.data)
    scope = scope_of_run(run, found, version)
    progress = Progress(deps, scope)
    if chain.is_over(version.flow, statuses):
        await progress.end.finish(await variables_at(deps.store, scope, END, {}))
        return ()
    ready = [step for step in chain.frontier(version.flow, statuses) if step not in under_way]
    for step in ready:
        variables = await variables_at(deps.store, scope, step, {})
        if (standing := await _begun(version, run.run_id, step, deps)) is not None:
            await _go_on_with(standing, variables, deps, scope)
            continue
        arrivals = chain.arrivals_at(version.flow, step, statuses)
        await progress.start_again(step, arrivals, variables)
    return tuple(ready)


async def _begun(version: FlowVersion, run_id: str, step: str, deps: Deps) -> Document | None:
    """The record of a mapped step whose items are known, or of an agent that has begun."""
    declared = version.flow.steps[step]
    if declared.foreach is None and not isinstance(declared, AgentStep):
        return None
    found = await deps.store.get(step_path(run_id, step))
    return found if found is not None and StepRecord.of(found.data).has_parts else None


async def _go_on_with(
    standing: Document, variables: Mapping[str, Any], deps: Deps, scope: Scope
) -> None:
    settler = Settler(deps, scope)
    if StepRecord.of(standing.data).mapped is not None:
        await Items(deps, scope, settler).continue_map(standing, variables)
        return
    from shared.delivery.agents.loop import AgentLoop  # noqa: PLC0415 - few flows have any

    await AgentLoop(deps, scope, settler).go_on(standing, variables)
