"""Colours and type of drawn flows, for light and dark screens.

Plain rules without variables: viewers other than browsers draw them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CODE_FONT: Final = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
TEXT_FONT: Final = "Helvetica, Arial, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class _Ink:
    """Fill and stroke of one look."""

    fill: str
    stroke: str


_LIGHT = {
    "plain": _Ink("#f8fafc", "#475569"),
    "prompt": _Ink("#e0f2fe", "#0369a1"),
    "action": _Ink("#fef3c7", "#b45309"),
    "call": _Ink("#ede9fe", "#6d28d9"),
    "succeeded": _Ink("#dcfce7", "#15803d"),
    "started": _Ink("#dcfce7", "#15803d"),
    "failed": _Ink("#fee2e2", "#b91c1c"),
    "cancelled": _Ink("#fee2e2", "#b91c1c"),
    "running": _Ink("#dbeafe", "#1d4ed8"),
    "waiting": _Ink("#fef3c7", "#b45309"),
    "pending": _Ink("#ffffff", "#475569"),
    "idle": _Ink("#ffffff", "#94a3b8"),
}
_DARK = {
    "plain": _Ink("#1e293b", "#94a3b8"),
    "prompt": _Ink("#0c2d48", "#38bdf8"),
    "action": _Ink("#3b2a0a", "#fbbf24"),
    "call": _Ink("#2e1f56", "#a78bfa"),
    "succeeded": _Ink("#0f2f1d", "#4ade80"),
    "started": _Ink("#0f2f1d", "#4ade80"),
    "failed": _Ink("#3f1518", "#f87171"),
    "cancelled": _Ink("#3f1518", "#f87171"),
    "running": _Ink("#172554", "#60a5fa"),
    "waiting": _Ink("#3b2a0a", "#fbbf24"),
    "pending": _Ink("#0f172a", "#94a3b8"),
    "idle": _Ink("#0f172a", "#64748b"),
}


@dataclass(frozen=True)
class _Paper:
    """What is not a node's own."""

    ground: str
    text: str
    faint: str
    link: str
    lost: str
    taken: str
    passed: str


_DAY = _Paper("#ffffff", "#0f172a", "#475569", "#475569", "#b91c1c", "#15803d", "#cbd5e1")
_NIGHT = _Paper("#0f172a", "#f1f5f9", "#cbd5e1", "#94a3b8", "#f87171", "#4ade80", "#475569")


def svg_rules() -> str:
    """The sheet inside a picture."""
    dark = "\n".join(_colours(_DARK, _NIGHT))
    rules = [_SHAPES, *_colours(_LIGHT, _DAY)]
    return "\n".join(rules) + f"\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def page_rules() -> str:
    """The sheet of a page around a picture."""
    dark = _page_colours(_NIGHT)
    return f"{_PAGE}\n{_page_colours(_DAY)}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


_SHAPES = f"""\
.sg text {{ font-family: {TEXT_FONT}; font-size: 12px }}
.sg .name {{ font: bold 13px {CODE_FONT} }}
.sg .code {{ font: 11px {CODE_FONT} }}
.sg .told {{ font: 11px {CODE_FONT} }}
.sg .head {{ font-size: 15px; font-weight: bold }}
.sg .sign text {{ font-size: 11px; font-weight: bold; text-anchor: middle }}
.sg .box {{ stroke-width: 1.5 }}
.sg .running .box {{ stroke-width: 3 }}
.sg .failed .box {{ stroke-width: 3 }}
.sg .idle .box {{ stroke-dasharray: 4 3 }}
.sg .line {{ fill: none; stroke-width: 1.5 }}
.sg .link {{ fill: none; stroke-width: 1.6 }}
.sg .link.taken {{ stroke-width: 2.4 }}
.sg .link.passed {{ stroke-dasharray: 2 4 }}
.sg .link.error {{ stroke-dasharray: 7 4 }}
.sg .tag {{ font-size: 11px; text-anchor: middle; paint-order: stroke; stroke-width: 4px }}"""


def _colours(inks: dict[str, _Ink], paper: _Paper) -> Iterator[str]:
    yield f".sg .ground {{ fill: {paper.ground} }}"
    yield f".sg text {{ fill: {paper.text} }}"
    yield f".sg .code, .sg .fact, .sg .idle text {{ fill: {paper.faint} }}"
    yield f".sg .tag {{ fill: {paper.faint}; stroke: {paper.ground} }}"
    for name, ink in inks.items():
        yield f".sg .{name} .box {{ fill: {ink.fill}; stroke: {ink.stroke} }}"
        yield f".sg .{name} .line {{ stroke: {ink.stroke} }}"
        yield f".sg .{name} .sign path {{ fill: {ink.stroke} }}"
    yield f".sg .sign text {{ fill: {paper.ground} }}"
    ways = {"": paper.link, ".error": paper.lost, ".taken": paper.taken, ".passed": paper.passed}
    for way, colour in ways.items():
        yield f".sg .link{way} {{ stroke: {colour} }}"
        yield f".sg .tip{way} {{ fill: {colour} }}"


_PAGE = f"""\
body {{ margin: 24px; font: 14px {TEXT_FONT} }}
h1 {{ font-size: 20px; margin: 0 0 4px }}
p {{ margin: 0 0 8px; max-width: 70em }}
figure, div {{ margin: 16px 0; overflow: auto }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; vertical-align: top; padding: 4px 12px 4px 0 }}
tbody th, td {{ border-top: 1px solid #94a3b8; overflow-wrap: anywhere; min-width: 7em }}
tbody th {{ font-weight: bold; min-width: 12em }}"""


def _page_colours(paper: _Paper) -> str:
    return f"body {{ background: {paper.ground}; color: {paper.text} }}"
