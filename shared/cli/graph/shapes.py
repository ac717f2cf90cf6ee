"""Outlines and signs of the kinds of nodes, as SVG path data: they tell kinds apart, not colours.

A kind without a shape of its own is a plain box with its first letter.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.cli.graph.layout import Box, Point

# Letters, where the first one of the kind would be another's.
SIGNS = {"event": "E", "embed": "V", "schedule": "T", "call": "ƒ", "agent": "G", "end": "■"}
_CORNER = 14.0
_RADIUS = 9.0  # of a sign


def outline(kind: str, box: Box) -> str:
    return _OUTLINES.get(kind, _straight)(box)


def edges_of(kind: str, box: Box) -> str:
    """Lines inside the outline; none for most kinds."""
    if kind in {"call", "flow"}:
        return "".join(
            f"M{x:.1f} {box.y:.1f}V{box.y + box.height:.1f}"
            for x in (box.x + 6, box.x + box.width - 6)
        )
    if kind == "action":
        x, y = box.x + box.width, box.y
        return f"M{x - _CORNER:.1f} {y:.1f}V{y + _CORNER:.1f}H{x:.1f}"
    return ""


def sign(kind: str, at: Point) -> str:
    """What a kind's letter stands in."""
    x, y = at
    if kind == "action":
        return f"M{x - 8:.1f} {y - 8:.1f}h16v16h-16z"
    if kind in {"call", "flow"}:
        return f"M{x:.1f} {y - 11:.1f}l11 11l-11 11l-11 -11z"
    return f"M{x - _RADIUS:.1f} {y:.1f}a9 9 0 1 1 18 0a9 9 0 1 1 -18 0z"


def _straight(box: Box) -> str:
    return f"M{box.x:.1f} {box.y:.1f}h{box.width:.1f}v{box.height:.1f}h{-box.width:.1f}z"


def _rounded(box: Box) -> str:
    return _round(box, 10)


def _capsule(box: Box) -> str:
    return _round(box, min(22.0, box.height / 2))


def _round(box: Box, r: float) -> str:
    across, down = box.width - 2 * r, box.height - 2 * r
    return (
        f"M{box.x + r:.1f} {box.y:.1f}h{across:.1f}a{r} {r} 0 0 1 {r} {r}v{down:.1f}"
        f"a{r} {r} 0 0 1 {-r} {r}h{-across:.1f}a{r} {r} 0 0 1 {-r} {-r}v{-down:.1f}"
        f"a{r} {r} 0 0 1 {r} {-r}z"
    )


def _folded(box: Box) -> str:
    x, y, width, height = box.x, box.y, box.width, box.height
    return (
        f"M{x:.1f} {y:.1f}h{width - _CORNER:.1f}l{_CORNER} {_CORNER}v{height - _CORNER:.1f}"
        f"h{-width:.1f}z"
    )


def _cut(box: Box) -> str:
    c, across, down = _CORNER, box.width - 2 * _CORNER, box.height - 2 * _CORNER
    return (
        f"M{box.x + c:.1f} {box.y:.1f}h{across:.1f}l{c} {c}v{down:.1f}l{-c} {c}"
        f"h{-across:.1f}l{-c} {-c}v{-down:.1f}z"
    )


_OUTLINES: dict[str, Callable[[Box], str]] = {
    "event": _capsule,
    "schedule": _capsule,
    "name": _capsule,
    "batch": _capsule,
    "end": _capsule,
    "prompt": _rounded,
    "agent": _rounded,
    "action": _folded,
    "wait": _cut,
}
