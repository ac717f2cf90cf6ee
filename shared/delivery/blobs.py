"""Bytes too large for one document or message, stored in pieces under their own hash.

Written piece by piece, head last: a blob whose head is there is complete.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared.domain.records import blob_path
from shared.errors import PayloadMissingError
from shared.ports import Put, Store

PIECE_BYTES = 900 * 1024


async def put_blob(store: Store, data: bytes, expire_at: datetime) -> str:
    """Stores the bytes and returns their id; stored again, they are kept as long as need be."""
    blob_id = hashlib.sha256(data).hexdigest()
    path = blob_path(blob_id)
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    for number, piece in enumerate(pieces):
        await store.commit(
            [Put(f"{path}/pieces/{number}", {"data": piece, "expire_at": expire_at})]
        )
    head = {"pieces": len(pieces), "size": len(data), "expire_at": expire_at}
    await store.commit([Put(path, head)])
    return blob_id


async def get_blob(store: Store, blob_id: str) -> bytes:
    """The bytes. Raises PayloadMissingError where they, or a piece of them, are gone."""
    path = blob_path(blob_id)
    head = await store.get(path)
    if head is None:
        raise PayloadMissingError(f"blob {blob_id}")
    paths = [f"{path}/pieces/{number}" for number in range(head.data["pieces"])]
    data = b""
    for piece_path in paths:  # one by one: together they may exceed what one answer can carry
        piece = await store.get(piece_path)
        if piece is None:
            raise PayloadMissingError(f"a piece of blob {blob_id}")
        data += piece.data["data"]
    return data
