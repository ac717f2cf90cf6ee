"""Whether a run can be moved to another version of its flow, given what it has done so far.

Decides it for `redrive --repin` and foretells it for `segue flows check`. Knows no store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from shared.domain.chain import StepStatus
from shared.domain.flow import END, Flow

_ANEW = {StepStatus.PENDING, StepStatus.FAILED}  # what goes on from there begins again


def obstacles(before: Flow, after: Flow, steps: Mapping[str, StepStatus]) -> tuple[str, ...]:
    """Why a run of `before` with these recorded steps cannot go on with `after`; empty: it can.

    What is recorded, and what may have been sent or counted because something before it has ended,
    must be there and in the same place: its records and messages are read by the new graph. What
    has an output or is being worked on must be of the same kind too. Whatever lies further on may
    be anything. A version never stands in its own way.
    """
    reached = _reached(before, steps) | _reached(after, steps)
    found = [why for name in sorted(reached) for why in _differences(before, after, name)]
    found += [_other_kind(before, after, name) for name in sorted(_kept(before, after, steps))]
    if before.is_join(END) != after.is_join(END):
        found.append("the run has one last step in one version and several in the other")
    return tuple(found)


def _reached(flow: Flow, begun: Collection[str]) -> set[str]:
    """What has begun, and every step that one of those, or the event itself, may have sent."""
    sent = {
        name
        for name, edges in flow.incoming.items()
        if not edges or any(edge.source in begun for edge in edges)
    }
    return sent | set(begun)


def _differences(before: Flow, after: Flow, name: str) -> Iterator[str]:
    if name not in after.steps:
        yield f"step {name!r} is gone"
    elif name not in before.steps:
        yield f"step {name!r} is new, where the run has been already"
    else:
        then, now = _shape(before, name), _shape(after, name)
        changed = [what for what in then if then[what] != now[what]]
        if changed:
            yield f"step {name!r} has {' and '.join(changed)}"


def _kept(before: Flow, after: Flow, steps: Mapping[str, StepStatus]) -> Iterator[str]:
    """Steps of both versions that do not begin again, and are of another kind."""
    for name, status in steps.items():
        there = name in before.steps and name in after.steps
        if there and status not in _ANEW and before.steps[name].kind != after.steps[name].kind:
            yield name


def _other_kind(before: Flow, after: Flow, name: str) -> str:
    return f"step {name!r} was {before.steps[name].kind} and is now {after.steps[name].kind}"


def _shape(flow: Flow, name: str) -> Mapping[str, Any]:
    """What must be the same for a record of one version to be read by another's graph."""
    step = flow.steps[name]
    return {
        "other needs": frozenset(flow.incoming[name]),
        "another `join`": step.quorum,
        "another `finish`": step.finish,
        "`foreach` in one version only": step.foreach is None,
    }
