"""How the CLI speaks: rich tables on a terminal, plain text in a pipe, JSON when asked.

Colour follows NO_COLOR and the terminal; rich sees to both.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
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

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, unwrapped and uncoloured."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def status(word: str) -> str:
    """A status with its mark, in its colour."""
    style = STATUS_STYLE.get(word, "none")
    return f"[{style}]{STATUS_MARK.get(word, '')} {word}[/]".replace("] ", "] ", 1)


def safe(text: object) -> str:
    """Text from outside: markup in it is shown, not obeyed."""
    return escape(str(text))


def money(usd: float | None) -> str:
    return "unpriced" if usd is None else f"${usd:.6f}".rstrip("0").rstrip(".") if usd else "$0"
