"""What happened in a simulation, line by line, in the order and at the time it happened.

Keeps; decides nothing. Equal stories have equal digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["message", "stage", "state", "model", "misfortune", "operator", "violation"]


@dataclass(frozen=True, slots=True)
class Line:
    """`at` is in microseconds since the start; `who` is an instance, or what else acts."""

    at: int
    who: str
    kind: Kind
    what: str

    def __str__(self) -> str:
        return f"{self.at / 1_000_000:12.6f}  {self.who:<14} {self.what}"


class Story:
    """The lines so far."""

    def __init__(self, elapsed: Callable[[], int]) -> None:
        self.lines: list[Line] = []
        self._elapsed = elapsed

    def tell(self, who: str, kind: Kind, what: str) -> None:
        """Adds a line about now."""
        self.lines.append(Line(self._elapsed(), who, kind, what))

    def digest(self) -> str:
        """Equal for equal stories, whatever process they were told in."""
        text = "\n".join(f"{line.kind} {line}" for line in self.lines)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
