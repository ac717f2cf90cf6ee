"""How simulations are shown: a line a flow, broken guarantees with their replay, the story.

Only presentation; nothing is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from emulator.simulation.runner import Outcome
from shared.cli.output import out, plain, safe, say
from shared.testing.simulator.guarantees import GUARANTEES, Violation
from shared.testing.simulator.simulation import Verdict
from shared.testing.simulator.story import Kind

_SHOWN = 3  # broken seeds told of one flow; each is enough to begin with
_STYLES: dict[Kind, str] = {
    "message": "dim",
    "stage": "none",
    "state": "cyan",
    "model": "blue",
    "misfortune": "yellow",
    "operator": "magenta",
    "violation": "bold red",
}
_COUNTED = ("deliveries", "model calls", "redriven")


def show(outcomes: Sequence[Outcome]) -> None:
    """A table of what was simulated, then what was broken, with the command that replays it."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("simulated", "seeds", "broken", "deliveries", "misfortunes", "virtual time"):
        table.add_column(column, justify="left" if column == "simulated" else "right")
    for outcome in outcomes:
        style = "red" if outcome.broken else "green"
        table.add_row(
            safe(outcome.plan.subject.name),
            f"{outcome.seeds:,}",
            f"[{style}]{len(outcome.broken)}[/]",
            f"{outcome.statistics['deliveries']:,}",
            f"{misfortunes(outcome.statistics).total():,}",
            _duration(outcome.seconds),
        )
    out.print(table)
    for outcome in outcomes:
        _show_broken(outcome)


def _show_broken(outcome: Outcome) -> None:
    for seed, violations in outcome.broken[:_SHOWN]:
        say(f"\n[bold red]{safe(outcome.plan.subject.name)}, seed {seed}[/]")
        for violation in violations:
            _show_violation(violation)
        say(f"  replay: [bold]{safe(outcome.plan.subject.replay(seed))}[/]")
    if len(outcome.broken) > _SHOWN:
        say(f"\n[dim]and {len(outcome.broken) - _SHOWN} more seeds[/]")


def _show_violation(violation: Violation) -> None:
    say(f"  [red]{violation.invariant}[/]: {GUARANTEES[violation.invariant]}")
    say(f"    {safe(violation.what)}")


def show_story(verdict: Verdict) -> None:
    """All that happened, in the order it did: virtual seconds, who, what."""
    for line in verdict.story.lines:
        text = Text(f"{line.at / 1_000_000:>12.6f}  ", style="dim")
        text.append(f"{plain(line.who):<15} ", style="bold")
        text.append(plain(line.what), style=_STYLES[line.kind])
        out.print(text, soft_wrap=True)


def misfortunes(statistics: Counter[str]) -> Counter[str]:
    """What went wrong, by kind; without the errors that followed from it."""
    return Counter(
        {
            name: count
            for name, count in statistics.items()
            if name not in _COUNTED and not name.startswith("error ")
        }
    )


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "ok": not any(outcome.broken for outcome in outcomes),
        "simulated": [_outcome(outcome) for outcome in outcomes],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    subject = outcome.plan.subject
    return {
        "name": subject.name,
        "event": subject.event_type,
        "seeds": outcome.seeds,
        "virtual_seconds": round(outcome.seconds, 3),
        "outputs_compared": outcome.plan.exact,
        "deliveries": outcome.statistics["deliveries"],
        "model_calls": outcome.statistics["model calls"],
        "misfortunes": dict(sorted(misfortunes(outcome.statistics).items())),
        "broken": [
            {
                "seed": seed,
                "replay": subject.replay(seed),
                "violations": [vars(violation) for violation in violations],
            }
            for seed, violations in outcome.broken
        ],
    }


def story_as_json(verdict: Verdict) -> list[dict[str, Any]]:
    """The story's lines."""
    return [
        {"at": line.at / 1_000_000, "who": line.who, "kind": line.kind, "what": line.what}
        for line in verdict.story.lines
    ]


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours:,} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"
