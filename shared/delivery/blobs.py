"""Bytes too large for one document or message, stored under their own hash (claim check).

Decides where they go: into one document, or beyond that into the bucket, or where there is none
into several documents. The head goes last: a blob whose head is there is complete.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.domain.records import blob_path
from shared.errors import PayloadDamagedError, PayloadMissingError, StaleError
from shared.ports import Delete, Document, Objects, Put, Query, Store, Update

PIECE_BYTES = 900 * 1024


@dataclass(frozen=True)
class Blobs:
    """Puts, gets and deletes blobs. `bucket` is where large ones go from now on.

    What is stored is found by its head, whatever `bucket` says by then.
    """

    store: Store
    objects: Objects
    bucket: str | None = None

    async def put(self, data: bytes, expire_at: datetime) -> str:
        """Stores the bytes and returns their id; stored again, they are kept as long as need be.

        Raises StoreUnavailableError, ObjectsUnavailableError.
        """
        blob_id = hashlib.sha256(data).hexdigest()
        if self.bucket is None or len(data) <= PIECE_BYTES:
            where = await self._put_pieces(blob_id, data, expire_at)
        else:
            where = await self._put_object(self.bucket, blob_id, data, expire_at)
        head = {**where, "size": len(data), "expire_at": expire_at}
        await self.store.commit([Put(blob_path(blob_id), head)])
        return blob_id

    async def _put_pieces(self, blob_id: str, data: bytes, expire_at: datetime) -> dict[str, Any]:
        path = blob_path(blob_id)
        pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
        for number, piece in enumerate(pieces):
            await self.store.commit(
                [Put(f"{path}/pieces/{number}", {"data": piece, "expire_at": expire_at})]
            )
        return {"pieces": len(pieces)}

    async def _put_object(
        self, bucket: str, blob_id: str, data: bytes, expire_at: datetime
    ) -> dict[str, Any]:
        name = object_name(blob_id, expire_at)
        await self.objects.put(bucket, name, data)
        return {"bucket": bucket, "object": name}  # no pieces: nobody may take it for empty

    async def get(self, blob_id: str) -> bytes:
        """The bytes.

        Raises PayloadMissingError where they, or a piece of them, are gone; PayloadDamagedError
        where they are not those that were stored; StoreUnavailableError, ObjectsUnavailableError.
        """
        head = await self.store.get(blob_path(blob_id))
        if head is None:
            raise PayloadMissingError(f"blob {blob_id}")
        data = await (self._object(head) if "bucket" in head.data else self._pieces(head))
        if hashlib.sha256(data).hexdigest() != blob_id:
            raise PayloadDamagedError(f"blob {blob_id}, {len(data):,} bytes, has another hash")
        return data

    async def _pieces(self, head: Document) -> bytes:
        data = b""
        # One by one: together they may exceed what one answer can carry.
        for number in range(head.data["pieces"]):
            piece = await self.store.get(f"{head.path}/pieces/{number}")
            if piece is None:
                raise PayloadMissingError(f"a piece of blob {head.name}")
            data += piece.data["data"]
        return data

    async def _object(self, head: Document) -> bytes:
        bucket, name = head.data["bucket"], head.data["object"]
        data = await self.objects.get(bucket, name)
        if data is None:
            raise PayloadMissingError(f"gs://{bucket}/{name}")
        return data

    async def delete(self, head: Document) -> int:
        """Deletes a blob by its head as it was found; returns how many documents that were.

        The head goes last and with all pieces, or, where somebody has stored the blob again since,
        nothing does. Raises StoreUnavailableError, ObjectsUnavailableError.
        """
        if "bucket" in head.data:
            await self.objects.delete(head.data["bucket"], head.data["object"])
        pieces = await self.store.find(Query(f"{head.path}/pieces"))
        unchanged = Update(head.path, {"size": head.data["size"]}, head.revision)
        paths = [*(piece.path for piece in pieces), head.path]
        with suppress(StaleError):
            await self.store.commit([unchanged, *(Delete(path) for path in paths)])
            return len(paths)
        return 0


def object_name(blob_id: str, expire_at: datetime) -> str:
    """`<day of expiry, in UTC>/<sha256>`.

    The same bytes stored on a later day are another object, so that none is needed for longer than
    its bucket, which deletes by age, keeps it; nor deleted while somebody stores it again.
    """
    return f"{expire_at.astimezone(UTC):%Y-%m-%d}/{blob_id}"
