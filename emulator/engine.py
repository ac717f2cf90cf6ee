"""What every local engine hands out: where its Pub/Sub and its Firestore listen, and how it fails.

Must not know which engine is behind the addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class EngineError(Exception):
    """A local engine cannot be used."""


class EngineMissingError(EngineError):
    """Something the engine needs is not installed; the message is one line with the remedy."""


class EngineStartError(EngineError):
    """The engine was started and did not come up; the message quotes the end of its log."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. The hosts are `127.0.0.1:port`, the form the client libraries expect.

    `control_url` is where `POST /reset` empties it, for an engine that has such a thing. One that
    does not honour filters of subscriptions delivers everything to each of them.
    """

    name: str
    pubsub_host: str
    firestore_host: str
    control_url: str | None = None
    honours_filters: bool = False

    def environment(self) -> dict[str, str]:
        """Return the variables that point Google's client libraries at this engine."""
        return {
            "PUBSUB_EMULATOR_HOST": self.pubsub_host,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
        }


class Startable(Protocol):
    """An engine that runs as a child of this process."""

    def plan(self) -> Engine:
        """Choose the ports now, and say where the engine is going to listen."""
        ...

    def describe(self) -> str:
        """Say in one line what runs."""
        ...

    async def start(self, log_dir: Path) -> Engine:
        """Start it and return once it answers; on failure nothing is left running."""
        ...

    async def stop(self) -> None:
        """Stop it. Safe to call twice, and when nothing was started."""
        ...
