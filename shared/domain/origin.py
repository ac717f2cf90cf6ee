"""Where log lines come from: the message or request that a task has in hand.

Kept in a context variable, which tasks and threads of `asyncio.to_thread` inherit. Must not know
how a line looks or where it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Origin:
    """What is known so far. `request_trace` is the platform's trace of the HTTP request alone."""

    labels: Mapping[str, str] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    request_trace: str | None = None


Tell = Callable[[], Origin]
_IN_HAND: ContextVar[Tell] = ContextVar("segue_in_hand", default=Origin)


def origin() -> Origin:
    """That of the line being written; an empty one outside of any message."""
    return _IN_HAND.get()()


@contextmanager
def in_hand(tell: Tell) -> Iterator[None]:
    """From here on lines come from what `tell` says, at the moment each is written."""
    token = _IN_HAND.set(tell)
    try:
        yield
    finally:
        _IN_HAND.reset(token)
