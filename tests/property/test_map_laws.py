"""Laws of maps: every item is sent once, never too many at a time, whatever ends first."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.mapped import Mapped


@st.composite
def maps(draw: st.DrawFn) -> Mapped:
    size = draw(st.integers(0, 60))
    rest = draw(st.none() | st.lists(st.integers(0, size - 1), unique=True) if size else st.none())
    return Mapped(size=size, rest=None if rest is None else sorted(rest))


@given(maps(), st.integers(1, 20), st.randoms(use_true_random=False))
def test_every_item_is_sent_once_and_no_more_than_so_many_are_under_way(
    mapped: Mapped, parallel: int, random: Random
) -> None:
    under_way = mapped.first(parallel)
    sent = list(under_way)
    while under_way:
        assert len(under_way) <= parallel
        ended = under_way.pop(random.randrange(len(under_way)))
        following = mapped.after(ended, parallel)
        if following is not None:
            under_way.append(following)
            sent.append(following)
    assert sorted(sent) == (list(range(mapped.size)) if mapped.rest is None else mapped.rest)


@given(maps(), st.integers(1, 20))
def test_exactly_so_many_items_as_run_at_once_are_followed_by_none(
    mapped: Mapped, parallel: int
) -> None:
    todo = list(range(mapped.size)) if mapped.rest is None else mapped.rest
    last = [index for index in todo if mapped.after(index, parallel) is None]
    assert len(last) == min(parallel, len(todo))
