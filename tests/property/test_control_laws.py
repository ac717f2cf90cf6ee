"""Laws of flow control by key, for whatever comes whenever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.starts.control import Rate, slot_of
from tests.functional.control import arrive, by_event, controlled, sent, tick
from tests.functional.system import System

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    limit=st.integers(1, 5),
    per=st.integers(1, 60),
    burst=st.integers(1, 6),
    gaps=st.lists(st.integers(0, 30), max_size=30),
)
def test_no_more_begin_than_the_rate_allows_and_none_later_than_it_must(
    limit: int, per: int, burst: int, gaps: list[int]
):
    rate = Rate(limit=limit, per=per, burst=burst)
    now, expected, begun = START, None, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        slot = slot_of(rate, expected, now)
        expected = slot.next_arrival
        begun.append((now, slot.begins))
    interval = timedelta(seconds=per / limit)
    times = [begins for _, begins in begun]
    assert times == sorted(times)
    for first, opening in enumerate(times):
        for last in range(first + burst, len(times)):
            least = interval * (last - first - burst + 1)
            assert times[last] - opening >= least - timedelta(milliseconds=1)
    for came, begins in begun[:burst]:  # a full burst is there at the beginning
        assert begins == came


MOVES = st.lists(
    st.one_of(st.tuples(st.just("comes"), st.sampled_from("ab")), st.just(("works", ""))),
    min_size=1,
    max_size=25,
)


@settings(max_examples=15)
@given(moves=MOVES, limit=st.integers(1, 2), in_order=st.booleans(), seed=st.integers(0, 99))
async def test_never_are_more_under_way_than_the_limit_and_each_run_ends(
    moves: list[tuple[str, str]], limit: int, in_order: object, seed: int
):
    limit = 1 if in_order else limit
    control = "order_by: event.data.key"
    if not in_order:
        control = f"concurrency: {{limit: {limit}, key: event.data.key}}"
    system = System([controlled(control)], seed=seed)
    arrived: dict[str, list[str]] = {"a": [], "b": []}
    for number, (move, key) in enumerate(moves):
        if move == "comes":
            arrived[key].append(f"{key}{number}")
            await arrive(system, f"{key}{number}", key)
        elif not await system.pipeline.step():
            await tick(system)
        _require_room(system, limit)
    for _ in range(len(moves) + 1):
        await system.run()
        await tick(system)
        _require_room(system, limit)
    assert {run.status for run in by_event(system).values()} <= {"succeeded"}
    assert len(by_event(system)) == sum(map(len, arrived.values()))
    for key, events in arrived.items():
        began = [event for event in sent(system) if event.startswith(key)]
        assert began == events if limit == 1 else sorted(began) == sorted(events)


def _require_room(system: System, limit: int) -> None:
    under_way = [run.control for run in by_event(system).values() if run.status == "running"]
    assert all(under_way.count(key) <= limit for key in under_way)
