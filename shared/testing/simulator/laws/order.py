"""What must hold of runs that share a key: how many are under way, and in what order they begin;
and of events that come together: each is in exactly one batch.

Both are worked out anew from events and flows: what the pipeline stores of keys is not trusted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.events import Event
from shared.domain.expressions import evaluate
from shared.domain.flow import BatchTrigger, Flow
from shared.domain.records import event_path, run_path
from shared.domain.starts.collected import SOURCE
from shared.domain.version import FlowVersion
from shared.testing.simulator.engine import Fields

Line = tuple[str, str]  # a flow and one value of its key
_UNDER_WAY = "running"
_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Lines:
    """The runs of each key, in the order in which they were opened."""

    def __init__(self, documents: Mapping[str, Fields]) -> None:
        self._documents = documents
        self._lines: dict[Line, list[str]] = {}

    def changed(
        self, version: FlowVersion | None, run_id: str, before: Fields | None, after: Fields
    ) -> Iterator[str]:
        """What is wrong with a run's change, at the moment it takes effect."""
        if version is None or version.flow.lane is None or _was_refused(after):
            return
        line = self._lines.setdefault(self._line_of(version.flow, after), [])
        if before is None:
            line.append(run_id)
        if after["status"] == _UNDER_WAY and (before is None or before["status"] != _UNDER_WAY):
            yield from self._begins(version.flow, run_id, line, is_first=after["redrives"] == 0)

    def _begins(self, flow: Flow, run_id: str, line: list[str], *, is_first: bool) -> Iterator[str]:
        assert flow.lane is not None
        others = [other for other in line if other != run_id]
        under_way = [other for other in others if self._run(other)["status"] == _UNDER_WAY]
        if len(under_way) >= flow.lane.limit:
            yield f"{run_id} begins while {', '.join(under_way)} are under way"
        before = line[: line.index(run_id)]
        overtaken = [other for other in before if self._run(other)["status"] not in _FINAL]
        if flow.order_by is not None and is_first and overtaken:
            yield f"{run_id} begins before {', '.join(overtaken)}"

    def _run(self, run_id: str) -> Fields:
        return self._documents[run_path(run_id)]

    def _line_of(self, flow: Flow, run: Fields) -> Line:
        assert flow.lane is not None
        if flow.lane.key is None:
            return flow.flow, ""
        stored: Any = json.loads(self._documents[event_path(run["event_key"])]["event"])
        variables = {"event": Event.model_validate(stored).variables()}
        return flow.flow, json.dumps(evaluate(flow.lane.key, variables), sort_keys=True)


def collecting_flows(versions: Mapping[str, FlowVersion]) -> Mapping[str, Flow]:
    """Flows whose events come together, by name: which do, is a matter of chance."""
    flows = [version.flow for version in versions.values()]
    return {flow.flow: flow for flow in flows if isinstance(flow.on, BatchTrigger)}


def broken_batches(
    versions: Mapping[str, FlowVersion], documents: Mapping[str, Fields]
) -> Iterator[str]:
    """What is wrong with the batches, when all is quiet."""
    flows = collecting_flows(versions)
    if not flows:
        return
    events = [
        Event.model_validate(json.loads(document["event"]))
        for path, document in sorted(documents.items())
        if path.startswith("events/")
    ]
    for name, flow in flows.items():
        batches = [e for e in events if e.source.startswith(f"{SOURCE}/") and e.subject == name]
        together = Counter(member for batch in batches for member in _members(batch))
        wanted = {(e.source, e.id) for e in events if flow.collects(e.type) is not None}
        for member in sorted(wanted | together.keys()):
            if together[member] != 1 or member not in wanted:
                yield f"event {member[1]} is in {together[member]} batches of {name}"


def _members(batch: Event) -> Iterator[tuple[str, str]]:
    data: Any = batch.data
    for member in data["events"]:
        yield member["source"], member["id"]


def _was_refused(run: Fields) -> bool:
    return bool(run["status"] in _FINAL and run["finished_at"] == run["created_at"])
