"""How the CLI speaks: rich tables on a terminal, plain text in a pipe, JSON when asked.

Colour follows NO_COLOR and the terminal; rich sees to both.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape

STATUS_STYLE = {
    "pending": "dim",
    "running": "bold yellow",
    "waiting": "yellow",
    "succeeded": "green",
    "skipped": "dim",
    "failed": "bold red",
    "cancelled": "red",
    "open": "bold red",
    "redriven": "green",
}
STATUS_MARK = {
    "pending": "·",
    "running": "▶",
    "waiting": "…",
    "succeeded": "✓",
    "skipped": "-",
    "failed": "✗",
    "cancelled": "✗",
}

# Control characters and those that turn the direction of writing; rich drops carriage returns.
_DRIVING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PIPE_WIDTH = 160  # a pipe has no width of its own; ids and sentences should stay whole

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


def say(markup: str, *, style: str = "none") -> None:
    """A line of markup, left whole: a pipe or a narrow terminal must not cut ids in two."""
    out.print(markup, style=style, soft_wrap=True)


def complain(markup: str) -> None:
    """A line on stderr."""
    err.print(markup, soft_wrap=True)


class LiveView:
    """A picture that is redrawn on a terminal, and printed once, at the end, in a pipe."""

    def __init__(self) -> None:
        self._live = Live(console=out, auto_refresh=False) if out.is_terminal else None
        self._last: RenderableType | None = None
        if self._live is not None:
            self._live.start()

    def show(self, picture: RenderableType) -> None:
        self._last = picture
        if self._live is not None:
            self._live.update(picture, refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._last is not None:
            out.print(self._last)


def print_json(value: Any) -> None:
    """One JSON document on stdout, unwrapped and uncoloured."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def status(word: str) -> str:
    """A status with its mark, in its colour."""
    style = STATUS_STYLE.get(word, "none")
    return f"[{style}]{STATUS_MARK.get(word, '')} {word}[/]"


def plain(text: object) -> str:
    """Text from outside without the characters that would drive the terminal."""
    return _DRIVING.sub("\N{REPLACEMENT CHARACTER}", str(text))


def safe(text: object) -> str:
    """Text from outside: markup in it is shown, not obeyed."""
    return escape(plain(text))


def cut(text: str, length: int) -> str:
    """Text of at most so many characters; an ellipsis says that there was more."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def counted(number: int, thing: str) -> str:
    """So many of a thing whose name takes an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def money(usd: float | None) -> str:
    return "unpriced" if usd is None else f"${usd:.6f}".rstrip("0").rstrip(".") if usd else "$0"
