"""What is in flight, held against what is declared today: who serves it, and what could be moved.

Reads runs, their versions and their steps; changes nothing. Says nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.moving import obstacles
from shared.domain.records import RunRecord, RunStatus, StepRecord, step_path
from shared.domain.step import CallStep
from shared.domain.version import FlowVersion
from shared.errors import Permanent, Transient, VersionMissingError
from shared.ports import Query

LOOKED_AT = 1000  # runs
_UNDER_WAY = [status.value for status in RunStatus if not status.is_final]
Reasons = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Standing:
    """Runs of one version of a flow. `today` is what a run opened now would be pinned to,
    None where the flow is gone.

    `unserved` and `unmoved` are runs with the reasons why.
    """

    flow: str
    version: str
    today: str | None
    runs: tuple[str, ...]
    unserved: Reasons = field(default_factory=dict)
    unmoved: Reasons = field(default_factory=dict)

    @property
    def is_todays(self) -> bool:
        return self.version == self.today

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "flow": self.flow,
            "version": self.version,
            "version_today": self.today,
            "runs": list(self.runs),
            "cannot_be_served": {run: list(why) for run, why in self.unserved.items()},
            "cannot_be_moved": {run: list(why) for run, why in self.unmoved.items()},
        }


@dataclass(frozen=True)
class InFlight:
    """All that is under way, by flow and version. `is_cut`: there are more than LOOKED_AT runs.

    by_labels: whether today's versions have the prompts that labels point at; else bundled ones.
    """

    standings: tuple[Standing, ...]
    is_cut: bool = False
    by_labels: bool = False

    @property
    def is_served(self) -> bool:
        return not any(standing.unserved for standing in self.standings)


async def in_flight(
    on_disk: Mapping[str, FlowVersion], calls: frozenset[str], deps: Deps
) -> InFlight:
    """Compares up to LOOKED_AT runs with today's flows and the functions that flows can call.

    Today's are those on disk, with their prompts as a run opened now would have them.
    Raises StoreUnavailableError.
    """
    query = Query("runs", (("status", "in", _UNDER_WAY),), limit=LOOKED_AT + 1)
    found = [RunRecord.of(run.data) for run in await deps.store.find(query)]
    looked_at = sorted(found[:LOOKED_AT], key=lambda run: (run.flow, run.flow_version, run.run_id))
    flows = {run.flow for run in looked_at}
    today = {name: await _pinned_now(on_disk[name], deps) for name in flows & on_disk.keys()}
    standings = [
        await _standing(name, version, [run.run_id for run in runs], today.get(name), calls, deps)
        for (name, version), runs in groupby(looked_at, lambda run: (run.flow, run.flow_version))
    ]
    by_labels = deps.resolver is not None and not deps.resolver.is_cut_off
    return InFlight(tuple(standings), len(found) > LOOKED_AT, by_labels)


async def _pinned_now(version: FlowVersion, deps: Deps) -> FlowVersion:
    """The flow as a run would have it; as it is on disk where a prompt of it cannot be told."""
    if deps.resolver is None:
        return version
    try:
        return await deps.resolver.resolved(version, None, deps.clock.now())
    except (Permanent, Transient):  # no run of it can be opened either
        return version


async def _standing(
    flow: str,
    version: str,
    runs: list[str],
    today: FlowVersion | None,
    calls: frozenset[str],
    deps: Deps,
) -> Standing:
    known = Standing(flow, version, today.version if today else None, tuple(runs))
    try:
        pinned = await deps.flows.pinned(flow, version)
    except VersionMissingError:
        lost = ("its version is no longer stored",)
        return _with(known, dict.fromkeys(runs, lost), {})
    except ValidationError:
        unreadable = ("its stored version is one that this code cannot read",)
        return _with(known, dict.fromkeys(runs, unreadable), {})
    unserved: Reasons = {}
    unmoved: Reasons = {}
    for run in runs:
        if _is_settled(pinned, today, calls):
            break
        steps = await _steps(run, pinned, deps)
        unserved[run] = tuple(_lost_calls(pinned, calls, steps))
        unmoved[run] = _obstacles(pinned, today, steps)
    return _with(known, unserved, unmoved)


def _with(known: Standing, unserved: Reasons, unmoved: Reasons) -> Standing:
    """Runs without a reason are left out."""
    return Standing(
        known.flow,
        known.version,
        known.today,
        known.runs,
        {run: why for run, why in unserved.items() if why},
        {run: why for run, why in unmoved.items() if why},
    )


def _is_settled(pinned: FlowVersion, today: FlowVersion | None, calls: frozenset[str]) -> bool:
    """Whether no run of the version can have a problem, whatever it has done."""
    done = dict.fromkeys(pinned.flow.steps, StepStatus.SUCCEEDED)
    return not _obstacles(pinned, today, done) and not any(_lost_calls(pinned, calls, {}))


def _lost_calls(
    pinned: FlowVersion, calls: frozenset[str], steps: Mapping[str, StepStatus]
) -> Iterator[str]:
    for name, step in pinned.flow.steps.items():
        ended = name in steps and steps[name].is_final
        if isinstance(step, CallStep) and step.call not in calls and not ended:
            yield f"step {name!r} calls {step.call!r}, which is no longer registered"


def _obstacles(
    pinned: FlowVersion, today: FlowVersion | None, steps: Mapping[str, StepStatus]
) -> tuple[str, ...]:
    if today is None:
        return ("there is no such flow today",)
    return obstacles(pinned.flow, today.flow, steps)


async def _steps(run: str, pinned: FlowVersion, deps: Deps) -> dict[str, StepStatus]:
    found = await deps.store.get_many([step_path(run, name) for name in pinned.flow.steps])
    return {step.name: StepRecord.of(step.data).status for step in found if step is not None}
