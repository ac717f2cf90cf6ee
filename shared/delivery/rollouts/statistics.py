"""How versions and variants have done: put together from the records of the latest runs.

Reads so many runs at most, and says when there were more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.delivery.rollouts.standings import Sight
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, RunStatus, StepRecord, Usage, run_path
from shared.domain.rollouts.estimates import Estimate, mean, quantile, share
from shared.domain.rollouts.outcomes import OutcomeRecord, outcomes_of
from shared.ports import Query

MOST_RUNS = 1000
_AT_ONCE = 50
Group = tuple[str, str]  # version and variant; without one, ""
Report = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A run with its steps and outcomes."""

    run: RunRecord
    steps: Sequence[StepRecord]
    outcomes: Mapping[str, float]


@dataclass
class _Sample:
    """What is known of one group."""

    runs: set[str] = field(default_factory=set)
    ended: int = 0
    succeeded: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: list[float] = field(default_factory=list)
    outcomes: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))


async def of_flow(name: str, since: datetime, sight: Sight) -> Report:
    """By version of the flow and the variants its runs have got."""
    found, is_cut = await _seen([name], since, sight)
    samples: dict[Group, _Sample] = defaultdict(_Sample)
    for one in found:
        variant = ", ".join(f"{name}={chosen}" for name, chosen in sorted(one.run.variants.items()))
        sample = samples[one.run.flow_version, variant]
        usage = sum((step.usage for step in one.steps), Usage())
        status, took = one.run.status, _seconds(one.run.created_at, one.run.finished_at)
        has_ended = status.is_final and status is not RunStatus.CANCELLED
        _add(sample, one, usage, took if has_ended else None)
        sample.ended += has_ended
        sample.succeeded += status is RunStatus.SUCCEEDED
    return {"flow": name, **_report(samples, len(found), is_cut=is_cut)}


async def of_prompt(name: str, flows: Iterable[str], since: datetime, sight: Sight) -> Report:
    """By version and variant of the prompt, in runs of these flows.

    Success, tokens, cost and latency are those of the steps that asked with it; outcomes are the
    run's.
    """
    found, is_cut = await _seen(sorted(flows), since, sight)
    samples: dict[Group, _Sample] = defaultdict(_Sample)
    for one in found:
        for step in one.steps:
            if step.prompt is None or step.prompt.name != name:
                continue
            sample = samples[step.prompt.version, step.prompt.variant or ""]
            has_ended = step.status in {StepStatus.SUCCEEDED, StepStatus.FAILED}
            took = _seconds(step.started_at, step.finished_at)
            _add(sample, one, step.usage, took if has_ended else None)
            sample.ended += has_ended
            sample.succeeded += step.status is StepStatus.SUCCEEDED
    return {"prompt": name, **_report(samples, len(found), is_cut=is_cut)}


def _add(sample: _Sample, one: Seen, usage: Usage, took: float | None) -> None:
    sample.runs.add(one.run.run_id)
    sample.usage += usage
    sample.seconds += [took] if took is not None else []
    for name, value in one.outcomes.items():
        sample.outcomes[name][one.run.run_id] = value


async def _seen(flows: Sequence[str], since: datetime, sight: Sight) -> tuple[list[Seen], bool]:
    """The latest runs of the flows with what hangs below them; and whether there were more."""
    runs: list[RunRecord] = []
    for flow in flows:
        query = Query(
            "runs",
            (("flow", "==", flow), ("created_at", ">=", since)),
            order_by="created_at",
            descending=True,
            limit=MOST_RUNS + 1,
        )
        runs += [RunRecord.of(one.data) for one in await sight.store.find(query)]
    runs.sort(key=lambda run: run.created_at, reverse=True)
    kept = runs[:MOST_RUNS]
    seen: list[Seen] = []
    for at in range(0, len(kept), _AT_ONCE):
        seen += await asyncio.gather(*(_with_steps(run, sight) for run in kept[at : at + _AT_ONCE]))
    return seen, len(runs) > MOST_RUNS


async def _with_steps(run: RunRecord, sight: Sight) -> Seen:
    steps = await sight.store.find(Query(f"{run_path(run.run_id)}/steps"))
    found = await sight.store.find(Query(outcomes_of(run.run_id)))
    outcomes = [OutcomeRecord.of(one.data) for one in found]
    values = {one.name: float(one.value) for one in outcomes}
    return Seen(run, [StepRecord.of(one.data) for one in steps], values)


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return (ended - began).total_seconds() if began is not None and ended is not None else None


def _report(samples: Mapping[Group, _Sample], runs: int, *, is_cut: bool) -> Report:
    groups = [
        {
            "version": version,
            "variant": variant or None,
            "runs": len(one.runs),
            "success": _told(share(one.succeeded, one.ended)),
            "outcomes": {
                name: _told(mean(list(values.values())))
                for name, values in sorted(one.outcomes.items())
            },
            "llm_calls": one.usage.llm_calls,
            "tokens": {"input": one.usage.tokens.input, "output": one.usage.tokens.output},
            "cost_usd": one.usage.cost_usd,
            "latency_s": {"p50": quantile(one.seconds, 0.5), "p95": quantile(one.seconds, 0.95)},
        }
        for (version, variant), one in sorted(samples.items())
    ]
    return {"runs": runs, "is_cut": is_cut, "most_runs": MOST_RUNS, "groups": groups}


def _told(estimate: Estimate) -> Report:
    return estimate.model_dump()
