"""The kinds of errors, which decide what happens to the message that met one.

The tree of all errors is drawn in `shared.errors`, which is where everybody imports them from.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any


class SegueError(Exception):
    """Something went wrong in Segue."""

    reply: Any = None  # the billed answer that came with the error, where there was one
    refusals: int = 0  # how often a model had said before that it is asked too much

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    @property
    def code(self) -> str:
        """A stable name for machines: the class name without `Error`."""
        return type(self).__name__.removesuffix("Error")

    def __str__(self) -> str:
        advice = " ".join(cleandoc(type(self).__doc__ or "").split())
        end = "" if self.detail.endswith((".", "!", "?", "…")) else "."
        return f"{self.detail}{end} {advice}" if self.detail else advice


class Transient(SegueError):
    """The same message may succeed later; it is redelivered."""


class Permanent(SegueError):
    """The same message would fail the same way again; it is kept as a dead letter."""


class Conflict(SegueError):
    """The store refused a write because the document is not in the expected state."""


class RefusedError(SegueError):
    """A run does not take what was asked of it; `reason` says why in a word."""

    def __init__(self, detail: str = "", reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class CloudError(SegueError):
    """Google Cloud did not answer."""


class UsageError(SegueError):
    """This cannot be done."""
