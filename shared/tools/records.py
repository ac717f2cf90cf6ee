"""What tools keep, as documents under `tool_records/`. A record is made once and never changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.model import Json
from shared.errors import AlreadyExistsError, ToolFailedError
from shared.ports import Create, Store

COLLECTION = "tool_records"
_NAME = re.compile(r"(?!\.\.?$|__.*__$)[^/]{1,500}")


class StoredRecords:
    """Implements `Records` over a store. `expire_at` says when a record may be deleted."""

    def __init__(self, store: Store, expire_at: Callable[[], datetime]) -> None:
        self._store = store
        self._expire_at = expire_at

    async def put(self, name: str, data: Mapping[str, Json]) -> dict[str, Json]:
        document = {"data": json.dumps(dict(data)), "expire_at": self._expire_at()}
        try:
            await self._store.commit([Create(_path(name), document)])
        except AlreadyExistsError:
            return await self.get(name) or dict(data)
        return dict(data)

    async def get(self, name: str) -> dict[str, Json] | None:
        found = await self._store.get(_path(name))
        if found is None:
            return None
        data: dict[str, Json] = json.loads(found.data["data"])
        return data


def _path(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ToolFailedError(f"{name[:80]!r} is no name for a record")
    return f"{COLLECTION}/{name}"
