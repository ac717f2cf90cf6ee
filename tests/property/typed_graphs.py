"""Random typed flows, and what their annotations mean: an interpreter that knows no flow files.

What a step does follows from the numbers in the events that it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from hypothesis import strategies as st
from pydantic import create_model

from shared.typed import Event, Flow, StartEvent, StopEvent, step


class Ask(StartEvent):
    v: int


class Done(StopEvent):
    v: int


KINDS: tuple[type[Event], ...] = tuple(
    create_model(f"E{n}", __base__=Event, v=(int, ...)) for n in range(24)
)
VOTE: type[Event] = create_model("Vote", __base__=Event, v=(int, ...))


@dataclass(frozen=True)
class Spec:
    """A step. `takes` are (kinds, whether as a list); `gives` are kinds."""

    name: str
    takes: tuple[tuple[tuple[type[Event], ...], bool], ...]
    gives: tuple[type[Event], ...] = ()
    many: bool = False
    maybe: bool = False

    def act(self, given: Sequence[Any]) -> Any:
        """What its method returns."""
        events = [e for one in given for e in (one if isinstance(one, list) else [one])]
        total = sum(event.v for event in events) + len(self.name) + len(events)
        if self.many:
            return [self.gives[(total + n) % len(self.gives)](v=n) for n in range(total % 4)]
        choices = [*self.gives, *([None] if self.maybe else [])]
        chosen = choices[total % len(choices)] if choices else None
        return chosen(v=total % 97) if chosen is not None else None


@st.composite
def specs(draw: st.DrawFn) -> tuple[Spec, ...]:
    """Steps that make a sound flow, each behind those that give what it takes."""
    free: dict[type[Event], bool] = {}  # events that somebody may take, and whether they are many
    left, found, fresh = set(), [], iter(KINDS)
    for number in range(draw(st.integers(1, 5))):
        takes, is_mapped = _takes(draw, free)
        left -= {kind for kinds, _ in takes for kind in kinds}
        many = not is_mapped and draw(st.booleans())
        gives = tuple(next(fresh) for _ in range(draw(st.integers(1, 3))))
        votes = not many and not is_mapped and draw(st.booleans())
        maybe = not many and draw(st.booleans())
        kinds = (*gives, VOTE) if votes else gives
        found.append(Spec(f"s{number}", takes, kinds, many, maybe))
        free |= dict.fromkeys(gives, many or is_mapped)
        left |= set(gives)
    voters = [one for one in found if VOTE in one.gives]
    found += [
        Spec(f"sink_{kind.__name__.lower()}", (((kind,), draw(st.booleans())),))
        for kind in sorted(left, key=KINDS.index)
    ]
    found += [Spec("count", (((VOTE,), True),))] if voters else []
    return (*found, Spec("done", (((Ask,), False),), (Done,)))


def _takes(draw: st.DrawFn, free: Mapping[type[Event], bool]) -> tuple[Any, bool]:
    """What a step takes, and whether it runs for each item of a list."""
    takes, is_mapped = [((Ask,), False)] if draw(st.booleans()) or not free else [], False
    wanted = (
        draw(st.lists(st.sampled_from(sorted(free, key=KINDS.index)), max_size=2, unique=True))
        if free
        else []
    )
    if not takes and not wanted:
        wanted = [next(iter(free))]
    for kind in wanted:
        as_list = draw(st.booleans()) or (free[kind] and is_mapped)
        is_mapped = is_mapped or (free[kind] and not as_list)
        takes.append(((kind,), as_list))
    return tuple(takes), is_mapped


def flow_of(specs: Sequence[Spec]) -> Any:
    """The class that has these steps."""
    members = {spec.name: step(_method(spec)) for spec in specs}
    return type("Random", (Flow,), {"name": "random", "on": "asked", **members})


def _method(spec: Spec) -> Any:
    async def method(_self: Any, **given: Any) -> Any:
        return spec.act(list(given.values()))

    hints = {
        f"p{n}": list[_union(kinds)] if as_list else _union(kinds)
        for n, (kinds, as_list) in enumerate(spec.takes)
    }
    found = _union(spec.gives) if spec.gives else None
    found = list[found] if spec.many else found
    method.__annotations__ = {**hints, "return": found | None if spec.maybe else found}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in ("self", *hints)
    ]
    method.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return method


def _union(kinds: Sequence[type[Event]]) -> Any:
    return reduce(or_, kinds)


ABSENT = object()


def meaning(specs: Sequence[Spec], v: int) -> dict[str, Any]:
    """What each step gives, ABSENT where it does not run."""
    given: dict[str, Any] = {}
    for spec in specs:
        taken = [_taken(one, specs, given, v) for one in spec.takes]
        lists = [n for n, (_, is_mapped) in enumerate(taken) if is_mapped]
        values = [value for value, _ in taken]
        if any(value is ABSENT for value in values):
            given[spec.name] = ABSENT
        elif lists:
            [at] = lists
            given[spec.name] = [
                spec.act([*values[:at], item, *values[at + 1 :]]) for item in values[at]
            ]
        else:
            given[spec.name] = spec.act(values)
    return given


def _taken(
    take: tuple[Any, bool], specs: Sequence[Spec], given: Mapping[str, Any], v: int
) -> tuple[Any, bool]:
    """(value, whether the step runs for each item of it)."""
    kinds, as_list = take
    if kinds == (Ask,):
        return Ask(v=v), False
    sources = [spec.name for spec in specs if set(spec.gives) & set(kinds) and spec.name in given]
    there = [given[name] for name in sources if given[name] is not ABSENT]
    if any(isinstance(one, list) for one in there):
        found = [event for one in there for event in one if type(event) in kinds]
        return found, not as_list
    found = [event for event in there if type(event) in kinds]
    if as_list:
        return found or ABSENT, False
    return (found[0] if found else ABSENT), False
