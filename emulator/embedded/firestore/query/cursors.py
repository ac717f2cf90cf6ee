"""Which part of an ordered result lies between a query's cursors.

Source: https://firebase.google.com/docs/firestore/query-data/query-cursors. Must not know where
the documents come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.embedded.firestore.model import Cursor, Order, Query
from emulator.embedded.firestore.query.ordering import Place, compare, full_order
from emulator.embedded.firestore.query.sort_keys import EVERYTHING, KeyRange, operand_key


@dataclass(frozen=True, slots=True)
class Window:
    """What lies between the cursors, in the complete order."""

    order: tuple[Order, ...]
    start: Place | None = None
    end: Place | None = None
    start_included: bool = True
    end_included: bool = False

    def before(self, where: Place) -> bool:
        """Whether a document at that place comes before the start."""
        if self.start is None:
            return False
        side = compare(where, self.start, self.order)
        return side < 0 or (side == 0 and not self.start_included)

    def past(self, where: Place) -> bool:
        """Whether a document at that place comes after the end."""
        if self.end is None:
            return False
        side = compare(where, self.end, self.order)
        return side > 0 or (side == 0 and not self.end_included)

    def __contains__(self, where: Place) -> bool:
        return not self.before(where) and not self.past(where)

    def first_field(self) -> KeyRange:
        """The keys the first field of the order can have in the window."""
        low, high = self.start, self.end
        if not self.order or not (low or high):
            return EVERYTHING
        if self.order[0].descending:
            low, high = high, low
        # Bounds are included: which of the documents level in this field belong is told by others.
        return KeyRange(low[0] if low else None, high[0] if high else None, high_included=True)


def window(query: Query) -> Window:
    """The query's cursors as places in its complete order."""
    order = full_order(query)
    if query.start is None and query.end is None:
        return Window(order)
    return Window(
        order,
        _place(query.start, order),
        _place(query.end, order),
        start_included=query.start is None or query.start.before,
        end_included=query.end is not None and not query.end.before,
    )


def _place(cursor: Cursor | None, order: Sequence[Order]) -> Place | None:
    if cursor is None:
        return None
    fields = (one.field for one in order)
    return tuple(operand_key(f, value) for f, value in zip(fields, cursor.values, strict=False))
