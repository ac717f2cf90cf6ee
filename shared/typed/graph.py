"""The graph that the annotations of a flow's steps make: who gives what others take.

Holds for shapes without cycles; whether a graph makes sense is decided in `checking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce

from shared.typed.events import Event
from shared.typed.shapes import FlowShape, StepShape, Taken

# By step: the names of the events one of which it must have given for something to happen.
Conditions = Mapping[str, frozenset[str | None]]


class Graph:
    """Of one flow."""

    def __init__(self, shape: FlowShape) -> None:
        self.shape = shape
        self._conditions: dict[str, Conditions] = {}
        self._mapped: dict[str, bool] = {}
        self._certain: dict[str, bool] = {}

    @cached_property
    def givers(self) -> Mapping[type[Event], tuple[StepShape, ...]]:
        """By event: the steps that give it, in the flow's order."""
        found: dict[type[Event], tuple[StepShape, ...]] = {}
        for step in self.shape.steps.values():
            for kind in step.gives.kinds:
                found[kind] = (*found.get(kind, ()), step)
        return found

    def sources(self, taken: Taken) -> tuple[StepShape, ...]:
        """The steps that a parameter waits for; none where it is what starts the flow."""
        names = {step.name for kind in taken.kinds for step in self.givers.get(kind, ())}
        return tuple(step for name, step in self.shape.steps.items() if name in names)

    def needs(self, step: StepShape) -> tuple[str, ...]:
        """The steps that it waits for, in the flow's order."""
        names = {source.name for taken in step.takes for source in self.sources(taken)}
        return tuple(name for name in self.shape.steps if name in names)

    # -- lists ------------------------------------------------------------------------------

    def gives_many(self, step: StepShape) -> bool:
        """Whether a run of the flow may see several of what it gives."""
        return step.gives.many or self.is_mapped(step)

    def is_mapped(self, step: StepShape) -> bool:
        """Whether it runs once for each item of a list."""
        if step.name not in self._mapped:
            self._mapped[step.name] = bool(self.lists(step))
        return self._mapped[step.name]

    def lists(self, step: StepShape) -> tuple[Taken, ...]:
        """The parameters whose events are several: the step runs once for each of them."""
        return tuple(
            taken
            for taken in step.takes
            if not taken.many and any(self.gives_many(source) for source in self.sources(taken))
        )

    # -- what must have happened ------------------------------------------------------------

    def conditions(self, step: StepShape) -> Conditions:
        """What must have happened wherever the step runs."""
        if step.name not in self._conditions:
            found = (self._of_taken(taken) for taken in step.takes if not taken.starts)
            self._conditions[step.name] = reduce(both, found, {})
        return self._conditions[step.name]

    def _of_taken(self, taken: Taken) -> Conditions:
        return either(self.of_giving(source, taken.names) for source in self.sources(taken))

    def of_giving(self, source: StepShape, names: frozenset[str]) -> Conditions:
        """What must have happened wherever the step gives one of these events."""
        if self.gives_many(source):
            return self.conditions(source)
        given = source.gives.names & names
        return both(self.conditions(source), {source.name: frozenset(given)})

    def are_exclusive(self, one: StepShape, other: StepShape, names: frozenset[str]) -> bool:
        """Whether no run sees both give one of these events."""
        first, second = self.of_giving(one, names), self.of_giving(other, names)
        return any(first[name].isdisjoint(second[name]) for name in first.keys() & second.keys())

    def is_certain(self, step: StepShape) -> bool:
        """Whether every run that goes on sees it succeed."""
        if step.name not in self._certain:
            needed = (self.shape.steps[name] for name in self.needs(step))
            self._certain[step.name] = (
                step.options.on_error == "fail"
                and all(self.is_certain(other) for other in needed)
                and all(self._is_always_given(taken) for taken in step.takes)
            )
        return self._certain[step.name]

    def _is_always_given(self, taken: Taken) -> bool:
        if taken.starts:
            return True
        sources = self.sources(taken)
        if all(self.gives_many(source) for source in sources):
            return True
        return len(sources) == 1 and not self.must_be_asked(sources[0], taken)

    @staticmethod
    def must_be_asked(source: StepShape, taken: Taken) -> bool:
        """Whether what it gives may be something else than is taken."""
        return source.gives.maybe or not source.gives.names <= taken.names


def both(one: Conditions, other: Conditions) -> Conditions:
    """What must have happened where both must."""
    shared = {name: one[name] & other[name] for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def either(found: Iterable[Conditions]) -> Conditions:
    """What must have happened where any of them must."""
    alternatives = list(found)
    if not alternatives:
        return {}
    names = set(alternatives[0]).intersection(*alternatives[1:])
    return {
        name: frozenset[str | None]().union(*(each[name] for each in alternatives))
        for name in sorted(names)
    }
