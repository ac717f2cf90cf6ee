"""Moments by key, the earliest first. Must not know what happens at them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

_SLACK = 64


class Timers:
    """At most one moment per key. Setting, cancelling and taking the earliest cost O(log n) each,
    spread over all calls; what was cancelled takes no lasting room.
    """

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []  # holds outdated pairs too

    def set(self, key: int, at: int) -> None:
        self._at[key] = at
        heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = [(moment, known) for known, moment in self._at.items()]
            heapify(self._heap)

    def cancel(self, key: int) -> None:
        self._at.pop(key, None)

    def pop_due(self, now: int) -> tuple[int, int] | None:
        """Takes out the earliest (moment, key) that is not after `now`; ties go by key."""
        earliest = self._earliest()
        if earliest is None or earliest[0] > now:
            return None
        heappop(self._heap)
        del self._at[earliest[1]]
        return earliest

    def next(self) -> int | None:
        earliest = self._earliest()
        return None if earliest is None else earliest[0]

    def clear(self) -> None:
        self._at.clear()
        self._heap.clear()

    def _earliest(self) -> tuple[int, int] | None:
        heap, moments = self._heap, self._at
        while heap and moments.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0] if heap else None
