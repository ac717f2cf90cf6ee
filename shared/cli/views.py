"""Runs and steps as rich renderables; knows reports, not where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shared.cli.output import counted, money, plain, safe, status

Report = dict[str, Any]
_BOARD = 120  # characters of an entry of a blackboard


def run_view(report: Report) -> RenderableType:
    """The run's head, its steps, then its outputs or its error."""
    head = Text.from_markup(
        f"{status(report['status'])}  [bold]{safe(report['flow'])}[/]"
        f" [dim]{report['flow_version']}[/]  {safe(report['run_id'])}"
    )
    above = report.get("parent")
    if above:
        told = f"  child of {safe(above['run_id'])}, step {safe(above['step'])}"
        head.append_text(Text.from_markup(f"\n[dim]{told}[/]"))
    return Group(
        head, *_relations(report), Padding(steps_view(report), (0, 0, 0, 2)), *_endings(report)
    )


def _relations(report: Report) -> Iterator[RenderableType]:
    for rollout, variant in report.get("variants", {}).items():
        yield Text.from_markup(f"  [dim]variant[/] {safe(variant)} [dim]of {safe(rollout)}[/]")
    for name, outcome in report.get("outcomes", {}).items():
        by = f" [dim]by {safe(outcome['by'])}[/]" if outcome["by"] else ""
        yield Text.from_markup(f"  [dim]outcome[/] {safe(name)} = {outcome['value']}{by}")
    for key, entry in report.get("blackboard", {}).items():
        value = json.dumps(entry["value"], ensure_ascii=False)
        told = value if len(value) <= _BOARD else f"{value[:_BOARD]} …"
        by = f"[dim]by {safe(entry['by'])}[/]"
        yield Text.from_markup(f"  [dim]blackboard[/] {safe(key)} = {safe(told)} {by}")
    for key in ("hook_of", "fallback_of", "shadow_of", "judge_of", "undoes", "undone_by"):
        if report.get(key):
            yield Text.from_markup(f"  [dim]{key.replace('_', ' ')}[/] {safe(report[key])}")


def steps_view(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in _STEP_COLUMNS:
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, step in _rows(report["steps"]):
        tokens = step.get("tokens") or {"input": 0, "output": 0}
        used = tokens["input"] + tokens["output"] > 0
        table.add_row(
            safe(name),
            status(step["status"]) if step["status"] else "",
            str(step["attempts"] or ""),
            _duration(step.get("started_at"), step.get("finished_at")),
            f"{tokens['input']}→{tokens['output']}" if used else "",
            money(step.get("cost_usd")) if used else "",
            safe(_asked(step) or _elsewhere(step)),
        )
    return table


def _rows(steps: Mapping[str, Report]) -> Iterator[tuple[str, Report]]:
    """Each step, and below a mapped one its first items, and all that did not just succeed.

    Below an agent, each of its turns with the calls that it asked for.
    """
    for name, step in steps.items():
        yield name, step
        items = step.get("items", ())
        shown = [one for one in items if one["status"] not in {"succeeded", "pending"}]
        if len(items) <= _ITEMS:
            shown = list(items)
        for item in shown[:_ITEMS]:
            yield f"  {name}[{item['index']}]", item
        for turn in step.get("turns", ()):
            yield f"  {turn['name']}", turn
            yield from ((f"    {call['name']}", call) for call in turn["calls"])
        if len(shown) < len(items):
            left = len(items) - len(shown[:_ITEMS])
            yield f"  … {left} more, with --json", {"status": "", "attempts": 0}


def _asked(step: Report) -> str:
    """The prompt that a model was asked with, and as whom it spoke."""
    prompt: str = (step.get("prompt") or {}).get("name", "")
    return f"{prompt} as {step['speaker']}" if prompt and "speaker" in step else prompt


def _elsewhere(step: Report) -> str:
    """Where the step's work is done, or how far its items are."""
    child = f"run {step['child']}" if step.get("child") else ""
    tool = f"{step.get('tool', '')} {_of_sources(step)}".strip()
    told = (tool, child, _of_items(step), of_turns(step), awaited(step))
    return " ".join(part for part in told if part)


def of_turns(step: Report) -> str:
    """How far an agent is."""
    turns = step.get("turns", ())
    calls = sum(len(turn["calls"]) for turn in turns)
    return f"{counted(len(turns), 'turn')}, {counted(calls, 'call')}" if turns else ""


def _of_sources(step: Report) -> str:
    """How many chunks it has retrieved."""
    found = len(step.get("sources", ()))
    return counted(found, "chunk") if found else ""


def _of_items(step: Report) -> str:
    """How far the items of a mapped step are."""
    counts = step.get("summary", {})
    parts = [f"{n} {name}" for name, n in counts.items() if name != "size"]
    return f"{counts['size']} items: {', '.join(parts)}" if parts else ""


def awaited(step: Report) -> str:
    """What a step waits for, and until when, in words."""
    what = step.get("waits_for")
    if what is None:
        return ""
    parts = [f"for {what['for']}"]
    if what["for"] == "signal":
        parts.append(repr(what["signal"]))
    if what["for"] == "event":
        parts.append(f"{what['type']} {what['key']}")
    if "approvers" in what:
        parts.append(f"by {' or '.join(what['approvers'])}")
    if "until" in what:
        parts.append(f"until {what['until'][:19].replace('T', ' ')} UTC")
    told = f": {what['message']}" if "message" in what else ""
    return " ".join(parts) + told


_ITEMS = 10  # of a mapped step, shown in a table
_STEP_COLUMNS = (
    ("step", "left"),
    ("status", "left"),
    ("tries", "right"),
    ("time", "right"),
    ("tokens", "right"),
    ("cost", "right"),
    ("prompt", "left"),
)


def _endings(report: Report) -> list[RenderableType]:
    endings: list[RenderableType] = [*_waits(report)]
    for name, value in (report["outputs"] or {}).items():
        endings.append(Text.from_markup(f"  [bold]{safe(name)}[/]"))
        told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        endings.append(Padding(Text(plain(told)), (0, 0, 0, 4)))
    if report["error"]:
        where = f" in step {report['error']['step']}" if report["error"].get("step") else ""
        endings.append(Text.from_markup(f"  [bold red]{safe(report['error']['code'])}[/]{where}"))
        endings.append(Padding(Text(plain(report["error"]["message"])), (0, 0, 0, 4)))
    totals = report["totals"]
    endings.append(
        Text.from_markup(
            f"  [dim]{counted(totals['llm_calls'], 'model call')},"
            f" {counted(totals['tokens']['input'], 'token')} in,"
            f" {totals['tokens']['output']} out, {money(totals['cost_usd'])},"
            f" {_duration(report['created_at'], report['finished_at']) or 'running'}[/]"
        )
    )
    return [*endings, *_budgets(totals.get("budget", ()))]


def _budgets(budgets: Sequence[Report]) -> Iterator[Text]:
    """What is spent of each limit."""
    for budget in budgets:
        told = [
            _spent(budget, "usd", money, ""),
            _spent(budget, "tokens", "{:,}".format, " tokens"),
        ]
        limits = "; ".join(text for text in told if text)
        yield Text.from_markup(f"  [dim]budget of {safe(budget['of'])}: {limits}[/]")


def _spent(budget: Report, unit: str, told: Callable[[Any], str], name: str) -> str:
    """Of a limit, with what people have added to it; empty where there is none."""
    of = budget.get(unit)
    if of is None:
        return ""
    held = f" ({told(of['reserved'])} held)" if of["reserved"] else ""
    return f"{told(of['spent'])}{held} of {told(of['limit'] + of['raised'])}{name}"


def _waits(report: Report) -> Iterator[Text]:
    """Why a run has not begun yet, or does not go on."""
    if report.get("paused"):
        since = report["paused_at"][:19].replace("T", " ")
        by = f" by {safe(report['paused_by'])}" if "paused_by" in report else ""
        why = f": {safe(report['paused_reason'])}" if "paused_reason" in report else ""
        yield Text.from_markup(f"  [yellow]paused[/] since {since} UTC{by}{why}")
    waits = report.get("waits")
    if waits is not None:
        key = f": key {safe(waits['key'])}" if waits["key"] else ""
        due = waits["due"][:19].replace("T", " ")
        told = f"waiting for its turn{key}, {waits['before']} before it, not before {due} UTC"
        yield Text.from_markup(f"  {told}")


def runs_view(reports: list[Report]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "status", "event", "started", "time"):
        table.add_column(name)
    for report in reports:
        table.add_row(
            safe(report["run_id"]),
            status(report["status"]) + (" [yellow]paused[/]" if report.get("paused") else ""),
            f"{safe(report['event']['type'])} [dim]{safe(report['event']['id'])}[/]",
            report["created_at"][:19].replace("T", " "),
            _duration(report["created_at"], report["finished_at"]),
        )
    return table


def _duration(start: str | None, end: str | None) -> str:
    if not start or not end:
        return ""
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
