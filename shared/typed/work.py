"""The step that is being worked on: what its method's context reads, writes and adds to.

Set by the stage that runs the method; must not know the step protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.retrieval.collection import Collection
from shared.errors import ActionFailedError
from shared.ports import Clock, Store, Telemetry, Write

Beside = Callable[[], Awaitable[Sequence[Write]]]


@dataclass(frozen=True)
class Work:
    """One attempt at one step.

    `key` is equal on each attempt, for receivers that can tell repeats. `put_beside` takes what is
    asked for the writes that are to be committed with the step's result, at each try of it.
    `collections` are those that the flow knows.
    """

    run_id: str
    step: str
    key: str
    store: Store
    clock: Clock
    telemetry: Telemetry
    expire_at: Callable[[], datetime]
    put_beside: Callable[[Beside], None]
    collections: Mapping[str, Collection] = field(default_factory=dict)


_IN_HAND: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def at_work(work: Work) -> Iterator[None]:
    """What is called inside of it is called for this step."""
    token = _IN_HAND.set(work)
    try:
        yield
    finally:
        _IN_HAND.reset(token)


def work_in_hand() -> Work:
    """The step that is being worked on. Raises ActionFailedError where there is none."""
    work = _IN_HAND.get()
    if work is None:
        raise ActionFailedError("a method of a typed flow is called by its step alone")
    return work
