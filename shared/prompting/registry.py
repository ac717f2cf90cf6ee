"""The prompt registry in the store, for reading: immutable versions by number, movable labels.

Knows nothing of flows, nor of whether a version fits one.
"""

from __future__ import annotations

from collections.abc import Collection

from shared.domain.prompts.records import (
    HEADS,
    LabelMove,
    PromptHead,
    PushedPrompt,
    head_path,
    moves_of,
    version_path,
    versions_of,
)
from shared.domain.prompts.refs import PromptRef, is_name
from shared.domain.version import PromptVersion
from shared.ports import Labels, Query, Store


class StoredPrompts:
    """Implements `PromptRegistry`. Any call may raise StoreUnavailableError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def pointed(self, wanted: Collection[PromptRef]) -> Labels:
        found = {
            PromptRef(head.name, label): number
            for head in await self.heads()
            for label, number in head.labels.items()
        }
        return Labels(found, is_all=True)

    async def version(self, ref: PromptRef) -> PromptVersion | None:
        found = await self.pushed(ref)
        return found.prompt if found is not None else None

    async def pushed(self, ref: PromptRef) -> PushedPrompt | None:
        """The version that an exact reference names, or that a label points at now."""
        if not is_name(ref.name):
            return None
        if not ref.is_exact:
            head = await self.head(ref.name)
            at = head.labels.get(ref.at) if head is not None else None
            return await self.pushed(PromptRef(ref.name, str(at))) if at is not None else None
        if ref.number is None:
            return await self._hashed(ref.name, ref.at)
        found = await self._store.get(version_path(ref.name, ref.number))
        return PushedPrompt.of(found.data) if found is not None else None

    async def _hashed(self, name: str, content: str) -> PushedPrompt | None:
        query = Query(versions_of(name), (("hash", "==", content),), limit=1)
        found = await self._store.find(query)
        return PushedPrompt.of(found[0].data) if found else None

    async def heads(self) -> list[PromptHead]:
        """Of every prompt that was ever pushed, by name; one query."""
        found = [PromptHead.of(head.data) for head in await self._store.find(Query(HEADS))]
        return sorted(found, key=lambda head: head.name)

    async def head(self, name: str) -> PromptHead | None:
        found = await self._store.get(head_path(name)) if is_name(name) else None
        return PromptHead.of(found.data) if found is not None else None

    async def versions(self, name: str) -> list[PushedPrompt]:
        """All versions of a prompt, the newest first."""
        query = Query(versions_of(name), order_by="number", descending=True)
        return [PushedPrompt.of(found.data) for found in await self._store.find(query)]

    async def moves(self, name: str) -> list[LabelMove]:
        """All moves of its labels, the latest first."""
        query = Query(moves_of(name), order_by="number", descending=True)
        return [LabelMove.of(found.data) for found in await self._store.find(query)]
