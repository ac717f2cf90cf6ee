"""Who wants to know that a subscription may have something to deliver: waiting pulls and streams.

Must not know the broker. What is called must not call back into it: the broker may be at work.
"""

from __future__ import annotations

from collections.abc import Callable

Ring = Callable[[], None]


class Bells:
    """Rings by subscription name, in the order in which they were hung up."""

    def __init__(self) -> None:
        self._rings: dict[str, dict[Ring, None]] = {}

    def hang(self, subscription: str, ring: Ring) -> None:
        """Call `ring` from now on; hung again, it moves behind the others."""
        rings = self._rings.setdefault(subscription, {})
        rings.pop(ring, None)
        rings[ring] = None

    def take_down(self, subscription: str, ring: Ring) -> None:
        """Never call `ring` again. Harmless where it does not hang."""
        rings = self._rings.get(subscription, {})
        rings.pop(ring, None)
        if not rings:
            self._rings.pop(subscription, None)

    def ring(self, subscription: str) -> None:
        for ring in tuple(self._rings.get(subscription, ())):
            ring()

    def subscriptions(self) -> tuple[str, ...]:
        """Those somebody waits for."""
        return tuple(self._rings)
