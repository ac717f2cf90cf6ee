"""Blobs: stored in pieces, complete when their head is there, told when they are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shared.delivery.blobs import PIECE_BYTES, get_blob, put_blob
from shared.domain.records import blob_path
from shared.errors import PayloadMissingError, StoreUnavailableError
from shared.ports import Delete, Write, Written
from shared.testing.memory import MemoryStore

EXPIRES = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, 0), (1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (3 * PIECE_BYTES, 3)],
)
async def test_bytes_come_back_whole(size: int, pieces: int) -> None:
    store = MemoryStore()
    data = bytes(number % 251 for number in range(size))
    blob_id = await put_blob(store, data, EXPIRES)
    assert await get_blob(store, blob_id) == data
    assert len(store.documents) == pieces + 1


async def test_storing_twice_is_harmless_and_other_bytes_are_another_blob() -> None:
    store = MemoryStore()
    first = await put_blob(store, b"a", EXPIRES)
    assert await put_blob(store, b"a", EXPIRES) == first
    assert await put_blob(store, b"b", EXPIRES) != first


async def test_every_document_of_a_blob_expires() -> None:
    store = MemoryStore()
    await put_blob(store, b"x" * (PIECE_BYTES + 1), EXPIRES)
    assert {document.data["expire_at"] for document in store.documents.values()} == {EXPIRES}


@pytest.mark.parametrize("gone", ["", "/pieces/0", "/pieces/1"])
async def test_what_is_gone_is_told(gone: str) -> None:
    store = MemoryStore()
    blob_id = await put_blob(store, b"x" * (PIECE_BYTES + 1), EXPIRES)
    await store.commit([Delete(blob_path(blob_id) + gone)])
    with pytest.raises(PayloadMissingError, match=blob_id):
        await get_blob(store, blob_id)


async def test_a_blob_cut_off_while_it_was_written_is_not_there() -> None:
    class CutOff(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> list[Written]:
            if self.commits == 1:
                raise StoreUnavailableError("cut off")
            return await super().commit(writes)

    store = CutOff()
    with pytest.raises(StoreUnavailableError):
        await put_blob(store, b"x" * (PIECE_BYTES + 1), EXPIRES)
    assert [path for path in store.documents if "/pieces/" not in path] == []
