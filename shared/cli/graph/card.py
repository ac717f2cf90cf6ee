"""What is written on a node, line by line, and the room it takes.

Names and code are set in a monospaced face, whose widths are known without measuring fonts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap

from rich.cells import cell_len, chop_cells

from shared.cli.graph.model import Node, State
from shared.cli.output import STATUS_MARK, plain

WIDEST, NARROWEST = 264.0, 150.0  # pixels, of a node
PADDING = 12.0
BADGE = 30.0  # pixels that the sign of the kind takes beside the name
_ROOM = WIDEST - 2 * PADDING
_NOTES = 5  # of a node, at most
_EM = {"name": 7.9, "code": 6.7, "told": 6.7}  # pixels a cell, of the widest usual faces
_HEIGHT = {"name": 17.0, "code": 15.0, "told": 16.0}
_UNWRITABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")  # in no XML document


class Face(StrEnum):
    """How a line is set."""

    NAME = "name"
    CODE = "code"
    TOLD = "told"


@dataclass(frozen=True)
class Line:
    """A line of a node; `y` is its base line, from the node's upper edge."""

    face: Face
    text: str
    y: float


@dataclass(frozen=True)
class Card:
    """A node's lines and its size in pixels; `full` says all of it, uncut."""

    node: Node
    lines: tuple[Line, ...]
    width: float
    height: float
    full: str


def card_of(node: Node) -> Card:
    lines: list[Line] = []
    y = PADDING - 2
    for face, text in _lines(node):
        if face is not Face.NAME and lines[-1].face is Face.NAME:
            y += 2
        y += _HEIGHT[face]
        lines.append(Line(face, text, y - 4))
    width = max(_width(line) for line in lines) + 2 * PADDING
    width = max(NARROWEST, min(WIDEST, width))
    return Card(node, tuple(lines), width, y + PADDING - 2, full_text(node))


def full_text(node: Node) -> str:
    """All that is known of a node, for a pointer that rests on it and for who cannot see it."""
    parts = [f"{node.title} ({node.does})"]
    parts += [str(note) for note in node.notes]
    if node.state is not None:
        parts.append(", ".join([node.state.status, *node.state.told]))
        parts += [node.state.error] if node.state.error else []
    return written("\n".join(parts))


def written(text: str) -> str:
    """Text from outside as it can stand in a document and cannot turn its neighbours about."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", plain(text))


def in_one_line(text: str) -> str:
    return " ".join(written(text).split())


def mark_of(status: str) -> str:
    """A sign that tells states apart without their colours."""
    return STATUS_MARK.get(status, "✓" if status == "started" else "-")


def shortened(text: str, face: Face, room: float) -> str:
    """As much of a text as fits into so many pixels; an ellipsis says that there was more."""
    cells = int(room / _EM[face])
    text = in_one_line(text)
    if cell_len(text) <= cells:
        return text
    return chop_cells(text, cells - 1)[0].rstrip() + "…"


def folded(text: str, room: float, lines: int, *, em: float = 6.2) -> list[str]:
    """Text in so many lines at most that fit into so many pixels.

    `em` is what a cell takes; the default is on the wide side for a proportional face of 12 px.
    """
    text = in_one_line(text)
    characters = room / em * len(text) / max(1, cell_len(text))
    return wrap(text, max(8, int(characters)), max_lines=lines, placeholder=" …")


def _lines(node: Node) -> Iterator[tuple[Face, str]]:
    for part in _wrapped(in_one_line(node.title), int((_ROOM - BADGE) / _EM["name"])):
        yield Face.NAME, part
    if node.is_step:
        yield Face.CODE, shortened(node.does, Face.CODE, _ROOM)
    for note in node.notes[:_NOTES]:
        for part in folded(str(note), _ROOM, 2, em=_EM["code"]):
            yield Face.CODE, part
    if len(node.notes) > _NOTES:
        yield Face.CODE, f"… {len(node.notes) - _NOTES} more"
    if node.state is not None:
        for told in _told(node.state):
            yield Face.TOLD, shortened(told, Face.TOLD, _ROOM)


def _told(state: State) -> Iterator[str]:
    first, *more = state.told or ("",)
    yield f"{mark_of(state.status)} {state.status} {first}"
    yield from more
    if state.error:
        yield state.error


def _width(line: Line) -> float:
    return cell_len(line.text) * _EM[line.face] + (BADGE if line.face is Face.NAME else 0)


def _wrapped(name: str, cells: int) -> Iterator[str]:
    """A name in as many lines as it needs, broken behind its own joints where that is possible."""
    line = ""
    for part in re.findall(r"[^_.\s/-]*[_.\s/-]*", name):
        for piece in chop_cells(part, cells) if part else ():
            if line and cell_len(line + piece) > cells:
                yield line
                line = ""
            line += piece
    yield line or name
