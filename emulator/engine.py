"""What every local engine hands out: where its Pub/Sub and its Firestore listen, and how it fails.

Must not know which engine is behind the addresses.
"""

from __future__ import annotations

from dataclasses import dataclass


class EngineError(Exception):
    """A local engine cannot be used."""


class EngineMissingError(EngineError):
    """Something the engine needs is not installed; the message is one line with the remedy."""


class EngineStartError(EngineError):
    """The engine was started and did not come up; the message quotes the end of its log."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. The hosts are `127.0.0.1:port`, the form the client libraries expect."""

    name: str
    pubsub_host: str
    firestore_host: str

    def environment(self) -> dict[str, str]:
        """Return the variables that point Google's client libraries at this engine."""
        return {
            "PUBSUB_EMULATOR_HOST": self.pubsub_host,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
        }
