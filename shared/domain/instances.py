"""An instance is a step, an item of a mapped step, or a turn or call of an agent.

`draft`, `draft[17]`, `draft[turn-3]`, `draft[turn-3.call-0]`: that is its name in records,
messages, log lines and `segue show`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOOP = frozenset({"item", "index"})  # variables that only the items of a mapped step see
_NAME = re.compile(
    r"(?P<step>[^\[\]]+)\["
    r"(?:(?P<index>0|[1-9][0-9]*)|turn-(?P<turn>[1-9][0-9]*)(?:\.call-(?P<call>0|[1-9][0-9]*))?)\]"
)


@dataclass(frozen=True)
class Part:
    """A model's turn in an agent, counted from 1, or one of the calls that it asked for, from 0."""

    turn: int
    call: int | None = None

    def __str__(self) -> str:
        return f"turn-{self.turn}" if self.call is None else f"turn-{self.turn}.call-{self.call}"


FIRST = Part(1)


@dataclass(frozen=True)
class Instance:
    """`index` counts from 0. Neither that nor a part: the step as a whole is meant."""

    step: str
    index: int | None = None
    part: Part | None = None

    def __str__(self) -> str:
        inner = self.part if self.index is None else self.index
        return self.step if inner is None else f"{self.step}[{inner}]"

    @property
    def is_whole(self) -> bool:
        return self.index is None and self.part is None

    @property
    def is_call(self) -> bool:
        return self.part is not None and self.part.call is not None

    @property
    def item_of(self) -> str | None:
        """The step whose record stands for this instance's; None of a step as a whole."""
        return None if self.is_whole else self.step


def by_part(of: Instance) -> tuple[int, int]:
    """Sorts an agent's turns, each before its calls."""
    assert of.part is not None
    return of.part.turn, -1 if of.part.call is None else of.part.call


def instance_of(name: str) -> Instance:
    """The instance of that name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return Instance(name)
    if match["index"] is not None:
        return Instance(match["step"], int(match["index"]))
    call = None if match["call"] is None else int(match["call"])
    return Instance(match["step"], part=Part(int(match["turn"]), call))
