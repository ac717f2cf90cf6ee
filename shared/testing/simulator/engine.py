"""What a simulation runs over: a broker and a database that are pure state machines, as Protocols.

Times are whole microseconds since 1970. Must not know who implements them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from shared.delivery.stage import Handle
from shared.domain.envelope import Message
from shared.domain.stages import Stage
from shared.ports import Bus, Store

Fields = Mapping[str, Any]


class Published(Protocol):
    """A message as the broker keeps it."""

    @property
    def id(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def published_at(self) -> int: ...


class Leased(Protocol):
    """A message under a lease. `attempt` is None where the broker does not count."""

    @property
    def ack_id(self) -> str: ...
    @property
    def message(self) -> Published: ...
    @property
    def attempt(self) -> int | None: ...


class Broker(Protocol):
    """Leases, back-off, attempts and dead letters are its own; it calls nobody but the bell.

    `on_available` is called with the name of a subscription that may have something to deliver.
    """

    on_available: Callable[[str], None]

    def pull(self, subscription: str, limit: int) -> Sequence[Leased]: ...

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> object: ...

    def modify_deadline(
        self, subscription: str, ack_ids: Sequence[str], microseconds: int
    ) -> object:
        """0 gives the message back: a nack."""
        ...

    def advance(self) -> None: ...

    def next_event(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one document; None on the side where it does not exist.

    Text, numbers, lists and maps are plain; how times look is the engine's own affair.
    """

    path: str
    before: Fields | None
    after: Fields | None


class Engine(Protocol):
    """One world of topics and documents.

    `pushes` names the stage that each push subscription serves. `on_change` is called for each
    change of a document, `on_publish` for each message (topic, message, id) that the bus has
    taken, at the moment it takes effect.
    """

    on_change: Callable[[Change], None]
    on_publish: Callable[[str, Message, str], None]

    @property
    def store(self) -> Store: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def broker(self) -> Broker: ...
    @property
    def pushes(self) -> Mapping[str, str]: ...

    def parked(self) -> int:
        """How many messages nobody could take, not even the stage that keeps dead letters."""
        ...

    def is_idle(self) -> bool:
        """Whether every message has been acknowledged."""
        ...


@dataclass(frozen=True)
class Platform:
    """Stages, the code behind them, and a way to make an engine from a clock and a seed."""

    stages: Mapping[str, Stage]
    handlers: Mapping[str, Handle]
    engine: Callable[[Callable[[], int], Random], Engine]
