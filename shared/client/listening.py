"""The progress events of one run, each once, in order of time.

Clocks of instances differ a little: what is told late is still heard, within CLOCKS_DIFFER.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from shared.client import changes
from shared.client.changes import Change
from shared.domain.flow import Flow
from shared.domain.run_notes import ProgressRecord, progress_of
from shared.domain.step import CallStep
from shared.ports import Query, Store

CLOCKS_DIFFER = timedelta(seconds=30)
_AT_ONCE = 500  # documents read together
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def tells_of_progress(flow: Flow) -> bool:
    """Whether its steps can: those of typed flows call a function of their own name."""
    return any(
        isinstance(step, CallStep) and step.call == f"{flow.flow}.{name}"
        for name, step in flow.steps.items()
    )


class Listener:
    """Of one run, in the hands of one who follows it."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._latest = _LONG_AGO
        self._heard: set[tuple[str, int]] = set()

    async def news(self) -> list[Change]:
        """What was told since the last time. Raises StoreUnavailableError."""
        found = [record async for record in self._since(self._latest - CLOCKS_DIFFER)]
        self._heard.update(map(_key, found))
        self._latest = max((record.at for record in found), default=self._latest)
        found.sort(key=lambda record: (record.at, record.step, record.n))
        return [changes.of_progress(record) for record in found]

    async def _since(self, since: datetime) -> AsyncIterator[ProgressRecord]:
        """What was not heard before, a bounded number at a time."""
        limit, heard = _AT_ONCE, set(self._heard)
        while True:
            query = Query(
                progress_of(self._run_id), (("at", ">=", since),), order_by="at", limit=limit
            )
            documents = await self._store.find(query)
            records = [ProgressRecord.of(document.data) for document in documents]
            for record in records:
                if _key(record) not in heard:
                    heard.add(_key(record))
                    yield record
            if len(documents) < limit:
                return
            if records[-1].at == since:  # more at one moment than are read together
                limit *= 2
            since = records[-1].at


def _key(record: ProgressRecord) -> tuple[str, int]:
    return record.step, record.n
