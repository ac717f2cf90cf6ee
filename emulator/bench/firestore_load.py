"""What a local Firestore engine is made to do under measurement, through Google's own client.

Knows no engine: the client follows the environment in which it is constructed.
"""

from __future__ import annotations

import asyncio
import time

from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1.base_query import FieldFilter

_IN_FLIGHT = 16
_BATCH = 500


class FirestoreLoad:
    """One engine's Firestore."""

    def __init__(self) -> None:
        self._client = AsyncClient(project="segue-bench")

    async def first_set(self) -> None:
        """One document."""
        await self._client.document("first/one").set({"n": 1})

    async def sets_per_second(self, count: int) -> float:
        """Documents written one by one, several under way."""
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def one(number: int) -> None:
            async with slots:
                await self._client.document(f"sets/{number}").set({"n": number, "text": "x" * 50})

        started = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(count)))
        return count / (time.perf_counter() - started)

    async def point_queries(self, documents: int, count: int) -> list[float]:
        """Seconds for each query that finds one of many documents by a field."""
        for start in range(0, documents, _BATCH):
            batch = self._client.batch()
            for number in range(start, min(start + _BATCH, documents)):
                batch.set(self._client.document(f"many/{number}"), {"n": number, "text": "x" * 50})
            await batch.commit()
        found = []
        for number in range(count + 1):
            wanted = number * (documents // (count + 1))
            query = self._client.collection("many").where(filter=FieldFilter("n", "==", wanted))
            started = time.perf_counter()
            [snapshot] = await query.get()
            found.append(time.perf_counter() - started)
            assert snapshot.id == str(wanted)
        return found[1:]  # the first one may build an index
