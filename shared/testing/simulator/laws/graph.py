"""Whether the steps of a run ended as its flow's graph says, by nothing but their records.

Written from the definition, not from the code that moves a run on: it must not call `chain`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from shared.domain.flow import Edge, Flow
from shared.domain.step import Step
from shared.testing.simulator.engine import Fields
from shared.testing.simulator.laws.stop import is_placeholder

_RAN = frozenset({"running", "pending", "waiting", "succeeded", "failed"})


def broken_steps(flow: Flow, steps: Mapping[str, Fields], *, ended: bool) -> Iterator[str]:
    """What is wrong, step by step. `ended`: the run has ended well, so its leaves must have too."""
    for name, declared in flow.steps.items():
        record = steps.get(name)
        branches = [_branch(edge, steps.get(edge.source)) for edge in flow.incoming[name]]
        succeeded, open_ones = branches.count(True), branches.count(None)
        enough = succeeded >= (declared.quorum or 1) if branches else True
        waits = declared.quorum is None and open_ones > 0
        if record is None:
            continue
        if has_begun(record) and (not enough or waits):
            yield f"step {name} is {record['status']} with branches {branches}"
        if record["status"] == "skipped" and not _may_be_skipped(
            has_condition=declared.when is not None, enough=enough, is_open=open_ones > 0
        ):
            yield f"step {name} is skipped with branches {branches}"
    if ended and not _is_finished(flow, steps):
        for leaf in flow.leaves:
            if not _has_ended(steps.get(leaf)):
                yield f"the run has ended and its last step {leaf} has not"


def has_begun(record: Fields) -> bool:
    """A record may also say of a step that it has not, where its run was paused."""
    return record["status"] in _RAN and not is_placeholder(record)


def open_branches(flow: Flow, step: str, steps: Mapping[str, Fields | None]) -> Iterator[str]:
    """The steps that a step is still waiting for, if it is waiting at all."""
    edges, quorum = flow.incoming[step], flow.quorum(step)
    branches = [_branch(edge, steps.get(edge.source)) for edge in edges]
    if quorum is None or branches.count(True) < quorum:
        for edge, branch in zip(edges, branches, strict=True):
            if branch is None:
                yield edge.source


def tries_too_many(declared: Step, record: Fields, redrives: int) -> str | None:
    """What is wrong with how often a step was tried again, in a run redriven so many times."""
    tried_again = [one["outcome"] for one in record.get("attempts", ())].count("retried")
    most = declared.retry.attempts if declared.retry is not None else 1
    allowed = (most - 1 + (declared.fallback is not None)) * (redrives + 1)
    if tried_again <= allowed:
        return None
    return f"was tried again {tried_again} times, and its flow says {allowed}"


def broken_maps(steps: Mapping[str, Fields]) -> Iterator[str]:
    """What is wrong with the outputs that maps have collected."""
    for name, record in steps.items():
        mapped = json.loads(record.get("mapped") or "null")
        if mapped is None or record["status"] != "succeeded":
            continue
        items = [steps.get(f"{name}[{index}]") for index in range(mapped["size"])]
        outputs = [
            json.loads(item["output"]) if item and item["status"] == "succeeded" else None
            for item in items
        ]
        if any(item is None or item["status"] not in {"succeeded", "failed"} for item in items):
            yield f"step {name} has collected items that had not ended"
        if json.loads(record["output"]) != outputs:
            yield f"step {name} has collected {record['output']}, not {outputs}"
        if f"{name}[{mapped['size']}]" in steps:
            yield f"step {name} has more items than its list"


def _branch(edge: Edge, source: Fields | None) -> bool | None:
    """Whether what the edge waits for has come to pass; None while that is open."""
    if source is None or not _has_ended(source):
        return None
    return bool(source["status"] == ("succeeded" if edge.on == "success" else "failed"))


def _may_be_skipped(*, has_condition: bool, enough: bool, is_open: bool) -> bool:
    return has_condition if enough else not is_open


def _has_ended(record: Fields | None) -> bool:
    return record is not None and leads_on(record)


def leads_on(record: Fields) -> bool:
    """Whether the step has ended; a failure that the flow does not provide for leads nowhere."""
    return record["status"] in {"succeeded", "skipped"} or is_provided_for(record)


def is_provided_for(record: Fields) -> bool:
    """Whether it is a failure that the run goes on from."""
    return bool(record.get("status") == "failed" and record.get("handled", False))


def _is_finished(flow: Flow, steps: Mapping[str, Fields]) -> bool:
    return any(
        declared.finish and name in steps and steps[name]["status"] == "succeeded"
        for name, declared in flow.steps.items()
    )
