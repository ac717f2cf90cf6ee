"""Named points between the lines of the step protocol where a test can end the process.

Nothing in production arms them: there is no setting, only `arm`, which tests and the local host
call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Point = Literal["decoded", "claimed", "worked", "committed", "emitted"]
POINTS: tuple[Point, ...] = ("decoded", "claimed", "worked", "committed", "emitted")

_hook: Callable[[Point], None] | None = None


def arm(hook: Callable[[Point], None] | None) -> None:
    """Call `hook` at every point from now on; None disarms."""
    global _hook  # noqa: PLW0603 - one process, one switch, set by tests alone
    _hook = hook


def reach(point: Point) -> None:
    """Marks that the protocol has got this far."""
    if _hook is not None:
        _hook(point)
