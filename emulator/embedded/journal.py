"""Where the cores tell what changed, so that it can outlive the process; the default forgets.

Decides nothing about storage: `sqlite_journal` keeps it, and knows how records are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class Journal(Protocol):
    """Records by table and key. A core puts whole records; the last one put is the one that counts.

    `flush` makes all earlier puts durable together: the server calls it before it answers.
    """

    def put(self, table: str, key: str, record: Any) -> None: ...

    def delete(self, table: str, key: str) -> None: ...

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        """What an earlier process left, in the order of first insertion."""
        ...

    def flush(self) -> None: ...


class Forgetful:
    """Implements `Journal` by keeping nothing."""

    def put(self, table: str, key: str, record: Any) -> None: ...

    def delete(self, table: str, key: str) -> None: ...

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        return iter(())

    def flush(self) -> None: ...
