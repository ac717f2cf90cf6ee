"""Whether a typed flow makes sense before it ever runs; every complaint names a line and a remedy.

What can only be told of a sound graph is looked at in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from shared.domain.step import Fallback
from shared.prompting.source import Problem
from shared.typed.events import Event, StartEvent, StopEvent, name_of
from shared.typed.graph import Graph
from shared.typed.shapes import FlowShape, StepShape, Taken


def problems_of(shape: FlowShape) -> list[Problem]:
    """All that is wrong with how the steps are joined, and with what they say of themselves."""
    check = _Check(shape)
    joined = [*check.names(), *check.ends(), *check.events(), *check.ways()]
    return joined or [*check.lists(), *check.choices(), *check.options(), *check.states()]


class _Check:
    def __init__(self, shape: FlowShape) -> None:
        self._shape = shape
        self._steps = tuple(shape.steps.values())
        self._graph = Graph(shape)

    # -- events -----------------------------------------------------------------------------

    def names(self) -> Iterator[Problem]:
        """Events are told apart by their names."""
        known: dict[str, type[Event]] = {}
        for step in self._steps:
            for kind in (*(k for t in step.takes for k in t.kinds), *step.gives.kinds):
                if known.setdefault(name_of(kind), kind) is not kind:
                    yield self._at(step, f"there is another event {name_of(kind)}; rename one")

    def ends(self) -> Iterator[Problem]:
        """A flow begins with one event, and comes to something."""
        starts = {k for s in self._steps for t in s.takes if t.starts for k in t.kinds}
        if not starts:
            yield self._whole("no step takes a StartEvent; let the first ones take it")
        elif len(starts) > 1:
            told = " and ".join(sorted(map(name_of, starts)))
            yield self._whole(f"steps take {told}; a flow is started with one StartEvent")
        if not any(step.gives.stops for step in self._steps):
            yield self._whole("no step gives a StopEvent; let the last one give it")

    def events(self) -> Iterator[Problem]:
        """What is taken is given by somebody, and what is given is taken."""
        taken = {kind for step in self._steps for each in step.takes for kind in each.kinds}
        for step in self._steps:
            if not step.takes:
                yield self._at(step, "it takes no event, so nothing would start it")
            for kind in (kind for each in step.takes for kind in each.kinds):
                if not issubclass(kind, StartEvent) and kind not in self._graph.givers:
                    yield self._at(step, f"no step gives {name_of(kind)}, which it takes")
            for kind in step.gives.kinds:
                if not issubclass(kind, StopEvent) and kind not in taken:
                    yield self._at(step, f"no step takes {name_of(kind)}, which it gives")

    def ways(self) -> Iterator[Problem]:
        """No step waits for itself, and each can be reached."""
        cycle = self._cycle()
        if cycle:
            way = " → ".join((*cycle, cycle[0]))
            yield self._at(
                self._shape.steps[cycle[0]],
                f"its event leads back to it, {way}; a step runs once in a run: repeat inside of"
                " a method, or let another run go on",
            )
        reached = self._reached()
        for step in self._steps:
            lacking = [t for t in step.takes if not self._is_reached(t, reached)]
            known = all(k in self._graph.givers for t in lacking for k in t.kinds)
            if lacking and known and not cycle:
                given = " or ".join(sorted(lacking[0].names))
                yield self._at(step, f"it is unreachable: what gives {given} never runs")

    def _cycle(self) -> tuple[str, ...]:
        """The steps of a cycle, in order; none where there is none."""
        left = {step.name: set(self._graph.needs(step)) for step in self._steps}
        while ready := [name for name, needs in left.items() if not needs & left.keys()]:
            for name in ready:
                del left[name]
        way: list[str] = []
        at = next(iter(left), None)
        while at is not None and at not in way:
            way.append(at)
            at = min(left[at] & left.keys())
        found = way[way.index(at) :] if at is not None else []
        first = min(found, key=list(self._shape.steps).index, default="")
        turned = list(reversed(found))
        return tuple((turned + turned)[turned.index(first) :][: len(turned)]) if found else ()

    def _reached(self) -> set[str]:
        reached: set[str] = set()
        while new := [
            step.name
            for step in self._steps
            if step.name not in reached
            and all(self._is_reached(taken, reached) for taken in step.takes)
        ]:
            reached.update(new)
        return reached

    def _is_reached(self, taken: Taken, reached: set[str]) -> bool:
        return taken.starts or any(s.name in reached for s in self._graph.sources(taken))

    # -- lists ------------------------------------------------------------------------------

    def lists(self) -> Iterator[Problem]:
        """A step runs for each item of one list, and collects lists of one sort."""
        for step in self._steps:
            for taken in step.takes:
                many = {self._graph.gives_many(source) for source in self._graph.sources(taken)}
                if len(many) > 1:
                    told = " or ".join(sorted(taken.names))
                    yield self._at(
                        step,
                        f"{taken.name!r} gets {told} once from one step and often from another;"
                        " give them two names",
                    )
            mapped = [taken.name for taken in self._graph.lists(step)]
            if len(mapped) > 1:
                yield self._at(
                    step,
                    f"{' and '.join(mapped)} come from lists; take one of them as list[...]",
                )
            if mapped and step.gives.many:
                yield self._at(step, "it runs for each item of a list: it gives one event for each")
            if mapped and step.gives.stops:
                told = name_of(step.gives.stops[0])
                yield self._at(step, f"it runs for each item of a list and gives {told}; collect")

    def choices(self) -> Iterator[Problem]:
        """A step runs once in a run: of several who give what it takes, one does."""
        for step in self._steps:
            for taken in step.takes:
                sources = self._graph.sources(taken)
                if not taken.many and not any(map(self._graph.gives_many, sources)):
                    yield from self._both(step, sources, taken.names, f"{taken.name!r} of it gets")
        names = frozenset(map(name_of, self._shape.stops))
        stops = tuple(step for step in self._steps if step.gives.stops)
        yield from self._both(stops[-1], stops, names, "the run ends with")

    def _both(
        self, step: StepShape, sources: tuple[StepShape, ...], names: frozenset[str], what: str
    ) -> Iterator[Problem]:
        for one, other in combinations(sources, 2):
            if not self._graph.are_exclusive(one, other, names):
                given = " or ".join(sorted((one.gives.names | other.gives.names) & names))
                yield self._at(
                    step,
                    f"{what} {given} from {one.name} and {other.name}, which may both give it,"
                    f" and a step runs once in a run; take list[{given}] to get all of them, or"
                    " give them names of their own",
                )

    # -- what a step says of itself ---------------------------------------------------------

    def options(self) -> Iterator[Problem]:
        """Options that fit what the step is."""
        for step in self._steps:
            given, is_mapped = step.options, self._graph.is_mapped(step)
            for name in ("max_parallel", "tolerate"):
                if getattr(given, name) is not None and not is_mapped:
                    yield self._at(step, f"`{name}` is for a step that runs for each item")
            if given.finish and (not step.gives.stops or set(step.gives.kinds) - {*_stops(step)}):
                yield self._at(step, "`finish` is for a step that gives nothing but a StopEvent")
            if given.on_error not in {"fail", "continue"}:
                yield self._at(step, "`on_error` is 'fail' or 'continue'")
            yield from self._fallback(step)
            yield from self._outputs(step)
            yield from self._prompt(step) if step.is_prompt else self._method(step)

    def _fallback(self, step: StepShape) -> Iterator[Problem]:
        fallback = step.options.fallback
        if isinstance(fallback, Fallback):
            if fallback.step is not None or fallback.is_value:
                yield self._at(step, "a fallback is an event, or another prompt or model")
        elif fallback is not None and (type(fallback) not in step.gives.kinds or step.gives.many):
            told = type(fallback).__name__
            yield self._at(step, f"its fallback {told} is no event that it gives")

    def _outputs(self, step: StepShape) -> Iterator[Problem]:
        if step.options.outputs is None:
            return
        if len(step.gives.kinds) > 1 or not step.gives.stops or len(self._shape.stops) > 1:
            yield self._at(step, "`outputs` are for the one step that gives the one StopEvent")
            return
        fields = step.gives.stops[0].model_fields
        unknown = sorted(step.options.outputs.keys() - fields)
        missing = [
            name
            for name, field in fields.items()
            if field.is_required() and name not in step.options.outputs
        ]
        if unknown or missing:
            told = f"lack {', '.join(missing)}" if missing else f"have {', '.join(unknown)}"
            yield self._at(step, f"its `outputs` {told}; {name_of(step.gives.stops[0])} says which")

    def _prompt(self, step: StepShape) -> Iterator[Problem]:
        if len(step.gives.kinds) != 1 or step.gives.maybe:
            yield self._at(step, "a model's answer is one event; let a method choose between some")
        if step.context is not None:
            yield self._at(step, "its method is never run, so it has no use for a Context")
        fields = [name for taken in step.takes if not taken.many for name in _fields(taken)]
        twice = sorted({name for name in fields if fields.count(name) > 1})
        if twice and step.options.arguments is None:
            yield self._at(step, f"two of its events have {twice[0]!r}; say which in `arguments`")

    def _method(self, step: StepShape) -> Iterator[Problem]:
        if step.options.arguments is not None:
            yield self._at(step, "`arguments` are for a prompt; a method gets its events")
        if isinstance(step.options.fallback, Fallback):
            yield self._at(step, "it asks no model; its fallback is an event")

    def states(self) -> Iterator[Problem]:
        """One run, one state."""
        first = next((step for step in self._steps if step.state is not None), None)
        for step in self._steps:
            if first is not None and step.state not in {None, first.state}:
                assert step.state is not None
                assert first.state is not None
                yield self._at(
                    step,
                    f"its state is {step.state.__name__}, and that of {first.name} is"
                    f" {first.state.__name__}; a run has one",
                )

    def _at(self, step: StepShape, message: str) -> Problem:
        return Problem(self._shape.file, step.line, f"step {step.name!r}: {message}")

    def _whole(self, message: str) -> Problem:
        return Problem(self._shape.file, self._shape.line, message)


def _stops(step: StepShape) -> tuple[type[Event], ...]:
    return step.gives.stops


def _fields(taken: Taken) -> list[str]:
    return sorted({name for kind in taken.kinds for name in kind.model_fields})
