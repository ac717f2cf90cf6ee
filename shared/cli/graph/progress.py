"""Puts a run onto the graph of its flow: what became of each node, and which links it took.

Knows reports as `segue show --json` gives them, and no records.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.cli.graph.model import END, START, Graph, Link, Node, State, Way
from shared.cli.output import counted, money
from shared.cli.views import awaited, of_turns
from shared.cli.waterfall import length_of_time

Report = dict[str, Any]

_MINUTE = 60.0
_OVER = frozenset({"succeeded", "failed", "cancelled"})
_ENDED = _OVER | {"skipped", "not reached"}
_UNTOUCHED = frozenset({"skipped", "pending", "not reached"})
_LEADS_ON = {Way.NEXT: "succeeded", Way.FINISH: "succeeded", Way.ERROR: "failed"}


def with_run(graph: Graph, report: Report) -> Graph:
    """The graph as far as the run has come. The report is of a run of this very version."""
    nodes = tuple(replace(node, state=_state(node, report)) for node in graph.nodes)
    states = {node.name: node.state.status for node in nodes if node.state}
    finishing = {link.source for link in graph.links if link.way is Way.FINISH}
    links = tuple(replace(link, taken=_taken(link, states, finishing)) for link in graph.links)
    return replace(graph, nodes=nodes, links=links, run=_run(report))


def _state(node: Node, report: Report) -> State:
    is_over = report["status"] in _OVER
    if node.name == START:
        return State("started", (f"by event {report['event']['id']}",))
    if node.name == END:
        status = report["status"] if is_over else "pending"
        return State(status, error=_error(report["error"]))
    step = report["steps"].get(node.name, {"status": "pending"})
    status = step["status"]
    if status == "pending" and is_over:
        status = "not reached"
    return State(status, tuple(_told(step)), _error(step.get("error")))


def _taken(link: Link, states: dict[str, str], finishing: set[str]) -> bool | None:
    source, target = states[link.source], states[link.target]
    leads_on = source == _LEADS_ON[link.way] or link.source == START
    if link.way is Way.NEXT and link.source in finishing:
        leads_on = False  # its success ends the run and starts nothing
    if leads_on and target not in _UNTOUCHED:
        return link.target != END or target == "succeeded"
    is_past = target not in {"pending", "running", "waiting"} or states[END] in _OVER
    return False if is_past or (source in _ENDED and not leads_on) else None


def _told(step: Report) -> list[str]:
    lines = [" · ".join(part for part in (_lasted(step), _tries(step)) if part)]
    if tokens := _tokens(step):
        lines.append(tokens)
    lines += [of_turns(step), awaited(step)]
    return [line for line in lines if line]


def _lasted(step: Report) -> str:
    start, end = step.get("started_at"), step.get("finished_at")
    if not start or step["status"] == "skipped":
        return ""
    return f"since {start[11:19]}Z" if not end else _between(start, end)


def _between(start: str, end: str) -> str:
    passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    seconds = passed.total_seconds()
    return f"{seconds:.1f} s" if 1 <= seconds < _MINUTE else length_of_time(seconds * 1000)


def _tries(step: Report) -> str:
    tries = step.get("attempts", 0)
    return f"{tries} tries" if tries > 1 else ""


def _tokens(part: Report) -> str:
    tokens = part.get("tokens") or {"input": 0, "output": 0}
    if not tokens["input"] + tokens["output"]:
        return ""
    return f"{tokens['input']:,}→{tokens['output']:,} tokens · {money(part.get('cost_usd'))}"


def _error(error: Report | None) -> str:
    return f"{error['code']}: {error['message']}" if error else ""


def _run(report: Report) -> tuple[str, ...]:
    start, end = report["created_at"], report["finished_at"]
    calls = counted(report["totals"]["llm_calls"], "model call")
    facts = [
        f"run {report['run_id']}",
        report["status"],
        f"{start[:19].replace('T', ' ')} UTC",
        _between(start, end) if end else "",
        calls if report["totals"]["llm_calls"] else "",
        _tokens(report["totals"]),
    ]
    return tuple(fact for fact in facts if fact)
