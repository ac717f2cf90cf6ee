"""Blobs: in pieces or in the bucket, complete when their head is there, told when they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.delivery.blobs import PIECE_BYTES, Blobs, object_name
from shared.domain.records import blob_path
from shared.errors import (
    ObjectsUnavailableError,
    PayloadDamagedError,
    PayloadMissingError,
    StoreUnavailableError,
)
from shared.ports import Delete, Put, Write, Written
from shared.testing.memory import MemoryStore
from shared.testing.memory_objects import MemoryObjects

EXPIRES = datetime(2026, 1, 31, tzinfo=UTC)
LARGE = b"x" * (PIECE_BYTES + 1)
Where = Callable[[], Blobs]


def in_pieces(store: MemoryStore | None = None) -> Blobs:
    return Blobs(store or MemoryStore(), MemoryObjects())


def in_bucket() -> Blobs:
    return Blobs(MemoryStore(), MemoryObjects(), "payloads")


def documents(blobs: Blobs) -> MemoryStore:
    assert isinstance(blobs.store, MemoryStore)
    return blobs.store


def content(blobs: Blobs) -> dict[tuple[str, str], bytes]:
    assert isinstance(blobs.objects, MemoryObjects)
    return blobs.objects.content


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, 0), (1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (3 * PIECE_BYTES, 3)],
)
async def test_without_a_bucket_all_is_in_pieces(size: int, pieces: int) -> None:
    blobs = in_pieces()
    data = bytes(number % 251 for number in range(size))
    blob_id = await blobs.put(data, EXPIRES)
    assert await blobs.get(blob_id) == data
    assert len(documents(blobs).documents) == pieces + 1
    assert content(blobs) == {}


@pytest.mark.parametrize(("size", "objects"), [(1, 0), (PIECE_BYTES, 0), (PIECE_BYTES + 1, 1)])
async def test_with_a_bucket_what_exceeds_one_document_is_one_object(
    size: int, objects: int
) -> None:
    blobs = in_bucket()
    data = b"y" * size
    blob_id = await blobs.put(data, EXPIRES)
    assert await blobs.get(blob_id) == data
    assert len(content(blobs)) == objects
    assert len(documents(blobs).documents) == (1 if objects else 2)


async def test_the_head_says_where_the_bytes_are() -> None:
    blobs = in_bucket()
    blob_id = await blobs.put(LARGE, EXPIRES)
    assert content(blobs) == {("payloads", f"2026-01-31/{blob_id}"): LARGE}
    assert documents(blobs).documents[blob_path(blob_id)].data == {
        "bucket": "payloads",
        "object": f"2026-01-31/{blob_id}",
        "size": PIECE_BYTES + 1,
        "expire_at": EXPIRES,
    }


def test_an_object_is_named_by_the_day_of_its_expiry_in_utc() -> None:
    late = datetime(2026, 1, 31, 20, tzinfo=timezone(timedelta(hours=-8)))
    assert object_name("0a", late) == "2026-02-01/0a"


@pytest.mark.parametrize("first", [in_pieces, in_bucket])
async def test_a_reader_follows_the_head_whatever_its_own_setting(first: Where) -> None:
    blobs = first()
    blob_id = await blobs.put(LARGE, EXPIRES)
    for bucket in (None, "payloads", "another"):
        assert await Blobs(blobs.store, blobs.objects, bucket).get(blob_id) == LARGE


@pytest.mark.parametrize("where", [in_pieces, in_bucket])
async def test_storing_twice_is_harmless_and_other_bytes_are_another_blob(where: Where) -> None:
    blobs = where()
    first = await blobs.put(LARGE, EXPIRES)
    assert await blobs.put(LARGE, EXPIRES) == first
    assert await blobs.put(LARGE + b"y", EXPIRES) != first
    assert await blobs.get(first) == LARGE
    assert len(content(blobs)) in {0, 2}


async def test_stored_again_later_it_is_another_object_so_that_none_outlives_its_lifecycle() -> (
    None
):
    blobs = in_bucket()
    blob_id = await blobs.put(LARGE, EXPIRES)
    await blobs.put(LARGE, EXPIRES + timedelta(days=29))
    [first, second] = sorted(content(blobs))
    del content(blobs)[first]  # as the bucket does when its age has come
    assert second == ("payloads", f"2026-03-01/{blob_id}")
    assert await blobs.get(blob_id) == LARGE


async def test_every_document_of_a_blob_expires() -> None:
    blobs = in_pieces()
    await blobs.put(LARGE, EXPIRES)
    stored = documents(blobs).documents.values()
    assert {document.data["expire_at"] for document in stored} == {EXPIRES}


@pytest.mark.parametrize("gone", ["", "/pieces/0", "/pieces/1"])
async def test_what_is_gone_is_told(gone: str) -> None:
    blobs = in_pieces()
    blob_id = await blobs.put(LARGE, EXPIRES)
    await blobs.store.commit([Delete(blob_path(blob_id) + gone)])
    with pytest.raises(PayloadMissingError, match=blob_id):
        await blobs.get(blob_id)


async def test_an_object_that_is_gone_is_told_with_its_address() -> None:
    blobs = in_bucket()
    blob_id = await blobs.put(LARGE, EXPIRES)
    content(blobs).clear()
    with pytest.raises(PayloadMissingError, match=f"gs://payloads/2026-01-31/{blob_id}"):
        await blobs.get(blob_id)


async def test_bytes_that_are_not_those_that_were_stored_are_told() -> None:
    blobs = in_bucket()
    blob_id = await blobs.put(LARGE, EXPIRES)
    content(blobs)["payloads", f"2026-01-31/{blob_id}"] = LARGE[:-1]
    with pytest.raises(PayloadDamagedError, match=f"{blob_id}, 921,600 bytes"):
        await blobs.get(blob_id)


async def test_pieces_that_are_not_those_that_were_stored_are_told() -> None:
    blobs = in_pieces()
    blob_id = await blobs.put(LARGE, EXPIRES)
    await blobs.store.commit([Put(f"{blob_path(blob_id)}/pieces/1", {"data": b"z"})])
    with pytest.raises(PayloadDamagedError, match=blob_id):
        await blobs.get(blob_id)


class CutOff(MemoryStore):
    """Takes `lasts` commits, then no more."""

    def __init__(self, lasts: int) -> None:
        super().__init__()
        self.lasts = lasts

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        if self.commits == self.lasts:
            raise StoreUnavailableError("cut off")
        return await super().commit(writes)


@pytest.mark.parametrize(("bucket", "lasts"), [(None, 1), ("payloads", 0)])
async def test_a_blob_cut_off_while_it_was_written_is_not_there(
    bucket: str | None, lasts: int
) -> None:
    store = CutOff(lasts)
    blobs = Blobs(store, MemoryObjects(), bucket)
    with pytest.raises(StoreUnavailableError):
        await blobs.put(LARGE, EXPIRES)
    assert [path for path in store.documents if "/pieces/" not in path] == []
    store.lasts = 99
    assert await blobs.get(await blobs.put(LARGE, EXPIRES)) == LARGE
    assert len(content(blobs)) == (1 if bucket else 0)


async def test_no_head_is_written_where_the_bucket_did_not_take_the_bytes() -> None:
    objects = MemoryObjects()
    objects.errors.append(ObjectsUnavailableError("503"))
    blobs = Blobs(MemoryStore(), objects, "payloads")
    with pytest.raises(ObjectsUnavailableError):
        await blobs.put(LARGE, EXPIRES)
    assert documents(blobs).documents == {}


@pytest.mark.parametrize(("where", "count"), [(in_pieces, 3), (in_bucket, 1)])
async def test_deleting_leaves_nothing(where: Where, count: int) -> None:
    blobs = where()
    blob_id = await blobs.put(LARGE, EXPIRES)
    head = await blobs.store.get(blob_path(blob_id))
    assert head is not None
    assert await Blobs(blobs.store, blobs.objects).delete(head) == count
    assert (documents(blobs).documents, content(blobs)) == ({}, {})


@pytest.mark.parametrize("where", [in_pieces, in_bucket])
async def test_what_is_stored_again_while_it_is_being_deleted_stays(where: Where) -> None:
    blobs = where()
    blob_id = await blobs.put(LARGE, EXPIRES)
    head = await blobs.store.get(blob_path(blob_id))
    assert head is not None
    await blobs.put(LARGE, EXPIRES + timedelta(days=30))
    assert await blobs.delete(head) == 0
    assert await blobs.get(blob_id) == LARGE


async def test_a_head_stays_until_its_object_is_gone() -> None:
    blobs = in_bucket()
    blob_id = await blobs.put(LARGE, EXPIRES)
    head = await blobs.store.get(blob_path(blob_id))
    assert head is not None
    assert isinstance(blobs.objects, MemoryObjects)
    blobs.objects.errors.append(ObjectsUnavailableError("503"))
    with pytest.raises(ObjectsUnavailableError):
        await blobs.delete(head)
    assert await blobs.get(blob_id) == LARGE
