"""Batches: how many events go together, and how that follows the load."""

from __future__ import annotations

import pytest

from shared.domain.starts.batches import ROOM, next_size, taken


@pytest.mark.parametrize(
    ("sizes", "size", "count", "is_full"),
    [
        ([], 3, 0, False),
        ([1, 1], 3, 2, False),
        ([1, 1, 1], 3, 3, True),
        ([1, 1, 1, 1], 3, 3, True),
        ([1], 1, 1, True),
        ([ROOM - 1, 1], 3, 2, False),
        ([ROOM, 1], 3, 1, True),
        ([ROOM + 1], 3, 1, False),
        ([1, ROOM, 1], 3, 1, True),
    ],
)
def test_no_more_go_together_than_fit(
    sizes: list[int],
    size: int,
    count: int,
    is_full: bool,  # noqa: FBT001 - a table
) -> None:
    assert taken(sizes, size) == (count, is_full)


@pytest.mark.parametrize(
    ("size", "filled_in", "following"),
    [(8, 1.0, 16), (8, 4.9, 16), (8, 5.0, 8), (8, 9.0, 8), (8, None, 4), (1, None, 1), (15, 0, 20)],
)
def test_the_size_doubles_where_events_come_fast_and_halves_where_time_runs_out(
    size: int, filled_in: float | None, following: int
) -> None:
    assert next_size(size, 20, 10.0, filled_in) == following
