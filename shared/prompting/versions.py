"""The flow versions a stage can serve: today's from its bundle, pinned ones from the store.

Route stores a version before it opens the first run of it, so that a run outlives its deployment,
and the other stages need no flow in their bundles.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from shared.domain.records import flow_path
from shared.domain.version import FlowVersion
from shared.domain.waiting import awaited_path, listed
from shared.errors import AlreadyExistsError, SegueError, VersionMissingError
from shared.ports import Create, Increment, Store
from shared.prompting.library import Library

_KEPT = 32 * 1024 * 1024  # bytes of declarations whose versions are held in memory


class _Reading:
    """Whoever reads a version, one after another. `failed` is how the latest of them failed."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.failed: SegueError | None = None


class FlowVersions:
    """Cached per instance: one that has served a version before reads nothing to serve it again.

    `read` gives the library as it is now.
    """

    def __init__(self, read: Callable[[], Library], store: Store) -> None:
        self._read = read
        self._store = store
        self._stored: set[str] = set()
        self._pinned: OrderedDict[str, tuple[FlowVersion, int]] = OrderedDict()
        self._loading: WeakValueDictionary[str, _Reading] = WeakValueDictionary()

    def library(self) -> Library:
        return self._read()

    def current(self) -> Mapping[str, FlowVersion]:
        """Today's flows by name."""
        return self._read().flows

    async def pinned(self, flow: str, version: str) -> FlowVersion:
        """A version of a flow; however many ask at once, it is read once.

        Who has waited for a read that fails does not wait for another: in an outage they would add
        up. Raises VersionMissingError where nobody has it, StoreUnavailableError.
        """
        current = self.current().get(flow)
        if current is not None and current.version == version:
            return current
        reading = self._loading.setdefault(version, _Reading())
        before = reading.failed
        async with reading.turn:
            if version not in self._pinned:
                if reading.failed is not None and reading.failed is not before:
                    raise reading.failed
                await self._read_in_turn(flow, version, reading)
            self._pinned.move_to_end(version)
            return self._pinned[version][0]

    async def _read_in_turn(self, flow: str, version: str, reading: _Reading) -> None:
        try:
            await self._load(flow, version)
        except SegueError as error:
            reading.failed = error
            raise

    async def _load(self, flow: str, version: str) -> None:
        found = await self._store.get(flow_path(version))
        if found is None:
            raise VersionMissingError(f"flow {flow!r}, version {version}")
        declaration = found.data["declaration"]
        self._keep(version, FlowVersion.model_validate_json(declaration), len(declaration))

    def _keep(self, version: str, loaded: FlowVersion, size: int) -> None:
        """The newest always; of the others, those used last, as far as there is room."""
        self._pinned[version] = (loaded, size)
        held = sum(size for _, size in self._pinned.values())
        while held > _KEPT and len(self._pinned) > 1:
            held -= self._pinned.popitem(last=False)[1][1]

    async def ensure_stored(self, version: FlowVersion, **about: Any) -> None:
        """Stores a version on first use by this instance; harmless where another has.

        What its steps wait for is listed first: `route` then looks for waits at such events.
        """
        if version.version in self._stored:
            return
        awaited = version.flow.awaited_events()
        if awaited:
            lists = [Increment(awaited_path(wait.type), {}, listed(wait)) for wait in awaited]
            await self._store.commit(lists)
        declaration = json.dumps(version.declaration(), ensure_ascii=False)
        document = {"flow": version.flow.flow, "declaration": declaration, **about}
        with suppress(AlreadyExistsError):  # the usual case after the first instance
            await self._store.commit([Create(flow_path(version.version), document)])
        self._stored.add(version.version)
        self._keep(version.version, version, len(declaration))
