"""What a tool is given beside its arguments. Decides nothing; the stage that calls fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.model import Json
from shared.ports import ToolServers


class Records(Protocol):
    """What tools may keep: small documents, each made once."""

    async def put(self, name: str, data: Mapping[str, Json]) -> dict[str, Json]:
        """The data kept under this name: what was there before, or else what is given here.

        Raises ToolFailedError for a name that Firestore does not take, RecordTooLargeError,
        StoreUnavailableError.
        """
        ...

    async def get(self, name: str) -> dict[str, Json] | None:
        """What is kept under this name. Raises StoreUnavailableError."""
        ...


@dataclass(frozen=True)
class ToolContext:
    """Whose call this is. `key` is the same however often the call is repeated, and no other's."""

    run_id: str
    step: str
    call: str
    key: str
    correlation_id: str
    now: datetime
    records: Records
    servers: ToolServers | None = None


@dataclass(frozen=True)
class Happened:
    """What a probe found: the call was carried out, with this result."""

    result: object


@dataclass(frozen=True)
class NotHappened:
    """What a probe found: the call was not carried out, and may be made."""
