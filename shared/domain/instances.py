"""An instance is a step, or one item of a mapped step: `draft`, or `draft[17]`.

That is its name in records, messages, log lines and `segue show`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOOP = frozenset({"item", "index"})  # variables that only the items of a mapped step see
_ITEM = re.compile(r"(?P<step>[^\[\]]+)\[(?P<index>0|[1-9][0-9]*)\]")


@dataclass(frozen=True)
class Instance:
    """`index` counts from 0; it is None where the step as a whole is meant."""

    step: str
    index: int | None = None

    def __str__(self) -> str:
        return self.step if self.index is None else f"{self.step}[{self.index}]"


def instance_of(name: str) -> Instance:
    """The instance of that name."""
    match = _ITEM.fullmatch(name)
    return Instance(match["step"], int(match["index"])) if match else Instance(name)
