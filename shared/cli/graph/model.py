"""What is drawn: nodes and links, with how far a run has come where one is shown.

Knows neither flows nor reports, nor how any of it will look.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

START, END = "$start", "$end"  # no step can be called so


class Way(StrEnum):
    """When one goes along a link: after a success, after a failure, or to end the run early."""

    NEXT = "next"
    ERROR = "error"
    FINISH = "finish"


@dataclass(frozen=True)
class Note:
    """Something the declaration says of a node, e.g. its condition."""

    key: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.key} {self.text}".strip()


@dataclass(frozen=True)
class State:
    """How far a run has come with a node. `told` is the rest of it in words, line by line."""

    status: str
    told: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_idle(self) -> bool:
        """The run goes, or has gone, past it."""
        return self.status in {"skipped", "not reached"}


@dataclass(frozen=True)
class Node:
    """A step, what starts the flow, or its end. `uses` is what the step asks, does or calls."""

    name: str
    kind: str
    title: str
    uses: str = ""
    notes: tuple[Note, ...] = ()
    state: State | None = None

    @property
    def is_step(self) -> bool:
        return self.name not in {START, END}

    @property
    def does(self) -> str:
        """Its kind, with what it uses."""
        return f"{self.kind} {self.uses}".strip()


@dataclass(frozen=True)
class Link:
    """Leads from one node to another. `taken` is None while a run has not decided, or without one.

    It is what the run shown has gone along, or will not go along any more.
    """

    source: str
    target: str
    way: Way = Way.NEXT
    taken: bool | None = None


@dataclass(frozen=True)
class Graph:
    """A flow version to be drawn; `run` says what of which run, where one is shown."""

    flow: str
    version: str
    description: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    run: tuple[str, ...] = ()
