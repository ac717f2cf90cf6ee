"""What control by key costs in Firestore operations, counted."""

from __future__ import annotations

import pytest

from tests.functional.control import ORDER, arrive, controlled
from tests.functional.system import System, flow

LANE_AND_RATE = f"{ORDER}\nrate: {{limit: 9, per: 1m, key: event.data.key}}"


async def cost(system: System, event_id: str, key: str) -> tuple[int, int, int]:
    """(reads, counts, writes) of a whole run."""
    system.world.documents.reset_counts()
    await arrive(system, event_id, key)
    await system.run()
    store = system.world.documents
    return store.reads.total(), store.counts.total(), store.writes.total()


async def warm(*versions) -> System:
    system = System(versions)
    for event_id in ("w1", "w2"):
        await arrive(system, event_id, "warm")
        await system.run()
    return system


@pytest.mark.parametrize(
    "control",
    [
        ORDER,
        "concurrency: {limit: 2}",
        "rate: {limit: 100, per: 1m}",
        LANE_AND_RATE,
        "concurrency: {limit: 2, key: event.data.key, over: drop}",
        "concurrency: {limit: 2, key: event.data.key, over: replace}",
    ],
)
@pytest.mark.parametrize("key", ["warm", "new"])
async def test_control_by_one_key_costs_one_write_a_run_where_nobody_waits(control: str, key: str):
    steps = "a: {call: test.echo}\nb: {needs: a, call: test.echo}"
    *_, plain = await cost(await warm(flow(steps)), "e", key)
    _, counts, writes = await cost(await warm(controlled(control, steps)), "e", key)
    assert writes == plain + 1
    assert counts == (0 if control.startswith("rate") else 1)


async def test_a_run_whose_first_steps_follow_costs_one_commit_more_than_none():
    system = await warm(controlled(ORDER))
    system.world.documents.reset_counts()
    await arrive(system, "e", "new")
    assert system.world.documents.commits == 1


async def test_a_flow_without_control_costs_nothing_more():
    system = await warm(flow("a: {call: test.echo}"))
    _, counts, writes = await cost(system, "e", "k")
    assert (counts, writes) == (0, 2 + 2 + 1)
    assert not [path for path in system.world.documents.reads if path.startswith("control/")]
