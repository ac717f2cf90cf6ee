"""Which message of an ordering key may be delivered. Must not know leases, times or attempts.

https://cloud.google.com/pubsub/docs/ordering: a key's messages are delivered in the order in which
they were published; here one at a time, as a push endpoint gets them.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyOrder(Generic[T]):
    """Unacknowledged messages per ordering key, the earliest first. A message without a key, the
    empty one, is in nobody's way.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}

    def join(self, key: str, item: T) -> bool:
        """Puts `item` last; True if it may be delivered."""
        if not key:
            return True
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = deque((item,))
            return True
        line.append(item)
        return False

    def leave(self, key: str) -> T | None:
        """Takes out the key's first; the one that may be delivered now, if there is one."""
        line = self._lines.get(key)
        if line is None:
            return None
        line.popleft()
        if line:
            return line[0]
        del self._lines[key]
        return None

    def clear(self) -> None:
        self._lines.clear()
