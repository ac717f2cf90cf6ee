"""Whether a flow's graph makes sense: steps that exist, no cycle, joins that can fire.

Knows no prompts, actions or expressions; those are checked only in a sound graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from shared.domain.flow import Flow
from shared.prompting.source import Location, Problem, Source


def graph_problems(source: Source, flow: Flow) -> list[Problem]:
    """All that is wrong with how the steps are joined."""
    graph = _GraphCheck(source, flow)
    return [*graph.needs(), *graph.gotos(), *graph.cycles(), *graph.joins(), *graph.finishes()]


class _GraphCheck:
    def __init__(self, source: Source, flow: Flow) -> None:
        self._source = source
        self._flow = flow

    def needs(self) -> Iterator[Problem]:
        for name, step in self._flow.steps.items():
            for need in step.needs:
                if need not in self._flow.steps:
                    yield self._at(
                        ("steps", name, "needs"),
                        f"step {name!r} needs {need!r}, which is not a step"
                        + did_you_mean(need, self._flow.steps),
                    )
            if len(set(step.needs)) < len(step.needs):
                yield self._at(("steps", name, "needs"), f"step {name!r} names a need twice")

    def gotos(self) -> Iterator[Problem]:
        for name, step in self._flow.steps.items():
            for key, target in (("on_error", step.goto), ("fallback", step.stand_in)):
                if target is not None and target not in self._flow.steps:
                    yield self._at(
                        ("steps", name, key),
                        f"step {name!r} goes to {target!r}, which is not a step"
                        + did_you_mean(target, self._flow.steps),
                    )
            if step.goto is not None and step.stand_in is not None:
                yield self._at(
                    ("steps", name, "fallback"),
                    f"step {name!r} has a step in its place and goes to another; keep one of the"
                    " two",
                )

    def cycles(self) -> Iterator[Problem]:
        left = {
            name: {edge.source for edge in self._flow.incoming[name]} for name in self._flow.steps
        }
        while ready := [name for name, sources in left.items() if not sources & left.keys()]:
            for name in ready:
                del left[name]
        for name in left:
            if name in _behind(name, left):
                message = f"step {name!r} is part of a cycle; break it by removing a need or a goto"
            else:
                message = f"step {name!r} is unreachable: what it needs never finishes"
            yield self._at(("steps", name), message)

    def joins(self) -> Iterator[Problem]:
        for name, step in self._flow.steps.items():
            width, quorum = self._flow.width(name), step.quorum
            if quorum is not None and quorum > max(width, 1):
                yield self._at(
                    ("steps", name, "join"),
                    f"step {name!r} waits for {quorum} successes and has {width} branches;"
                    " lower n or add to `needs`",
                )

    def finishes(self) -> Iterator[Problem]:
        for name, step in self._flow.steps.items():
            behind = [other for other, each in self._flow.steps.items() if name in each.needs]
            if step.finish and behind:
                yield self._at(
                    ("steps", name, "finish"),
                    f"the run ends with step {name!r}, so {', '.join(behind)} would never run;"
                    " remove `finish`, or the step from their `needs`",
                )

    def _at(self, location: Location, message: str) -> Problem:
        return self._source.problem(location, message)


def _behind(name: str, sources: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(sources[name])
    while todo:
        source = todo.pop()
        if source in sources and source not in found:
            found.add(source)
            todo.extend(sources[source])
    return found


def did_you_mean(word: str, known: Any) -> str:
    """The end of a complaint: what may have been meant, if anything is close."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
