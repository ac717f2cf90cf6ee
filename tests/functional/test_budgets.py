"""What a run costs in Firestore operations and model calls, counted."""

from __future__ import annotations

import pytest

from shared.domain.waiting import awaited_path
from tests.functional.system import EVENT, System, flow

WAITS = awaited_path(EVENT)
CHAIN = flow(
    "\n".join(
        [
            "s0: {prompt: say, with: {text: x}}",
            *(
                f"s{n}: {{needs: s{n - 1}, prompt: say, with: {{text: '{{{{ s{n - 1}.text }}}}'}}}}"
                for n in range(1, 5)
            ),
        ]
    )
)
JOINS = flow("""
    a: {prompt: say, with: {text: x}}
    b: {prompt: say, with: {text: y}}
    c: {needs: [a, b], prompt: say, with: {text: "{{ a.text }}{{ b.text }}"}}
    d: {needs: [a, b], prompt: say, with: {text: z}}
    e: {needs: [c, d], prompt: say, with: {text: z}}
""")


async def warm(version) -> System:
    """A system whose instances have served the flow before; counts start from zero."""
    system = System([version])
    await system.start()
    forget(system)
    return system


def forget(system: System) -> None:
    system.world.documents.reset_counts()
    system.model.calls.clear()
    system.pipeline.deliveries.clear()


def cost(system: System) -> tuple[int, int]:
    """(reads, writes) since the last time."""
    store = system.world.documents
    counted = store.reads.total(), store.writes.total()
    store.reset_counts()
    return counted


async def test_an_event_with_one_run_costs_two_writes_before_its_first_step():
    """And one read: whether steps of other runs wait for an event of its type."""
    system = await warm(CHAIN)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    assert system.world.documents.commits == 1
    assert cost(system) == (1, 2)
    await system.pipeline.step("compose")
    assert cost(system) == (0, 0)


async def test_the_first_event_of_a_version_costs_three_writes():
    system = System([CHAIN])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    assert cost(system) == (1, 3)


async def test_an_instance_reads_a_version_once_for_all_runs_of_it():
    """Which is all that a cold start costs: `route` alone has flows on its disk."""
    system = System([CHAIN])
    await system.start()
    version = f"flows/{CHAIN.version}"
    assert system.world.documents.reads == {version: 2, WAITS: 1}  # compose and generate; route
    forget(system)
    for _ in range(3):
        await system.start()
    assert system.world.documents.reads == {WAITS: 3}


async def test_a_prompt_step_costs_two_writes_and_no_read():
    """Of an instance that has served the version before."""
    system = await warm(CHAIN)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for _ in range(4):
        cost(system)
        await system.pipeline.step("compose")
        await system.pipeline.step("generate")
        assert cost(system) == (0, 2)


async def test_the_step_that_ends_the_run_costs_one_write_more():
    system = await warm(CHAIN)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for _ in range(4):
        await system.pipeline.step("compose")
        await system.pipeline.step("generate")
    cost(system)
    await system.pipeline.step("compose")
    await system.pipeline.step("generate")
    assert cost(system) == (0, 3)
    assert (await system.report(system.run_ids()[-1]))["status"] == "succeeded"


@pytest.mark.parametrize("seed", range(4))
async def test_a_step_costs_one_write_more_for_each_join_it_feeds(seed: int):
    system = System([JOINS], seed=seed)
    await system.start()
    forget(system)
    await system.start()
    writes = system.world.documents.writes
    run_id = next(path for path in writes if path.startswith("runs/")).split("/")[1]
    assert {step: writes[f"runs/{run_id}/steps/{step}"] for step in "abcde"} == dict.fromkeys(
        "abcde", 2
    )
    assert {join: writes[f"runs/{run_id}/joins/{join}"] for join in "cde"} == dict.fromkeys(
        "cde", 2
    )
    assert writes[f"runs/{run_id}"] == 2
    assert writes.total() == 1 + 2 + 5 * 2 + 3 * 2
    assert system.world.documents.commits == 1 + 5 * 2


async def test_a_join_reads_only_the_outputs_that_it_uses_and_lacks():
    """The last branch brings its own output along; of three joins, only `c` uses outputs."""
    system = await warm(JOINS)
    await system.start()
    [(path, times)] = (read for read in system.world.documents.reads.items() if read[0] != WAITS)
    assert path.split("/steps/")[1] in {"a", "b"}
    assert times == 1


async def test_an_action_step_costs_one_read_more_for_the_run_check():
    system = await warm(flow("a: {call: test.echo}\nb: {needs: a, call: test.echo}"))
    await system.publish(EVENT)
    await system.pipeline.step("route")
    cost(system)
    await system.pipeline.step("act")
    assert cost(system) == (1, 2)
    await system.pipeline.step("act")
    assert cost(system) == (1, 3)


@pytest.mark.parametrize("version", [CHAIN, JOINS])
async def test_the_model_is_called_once_a_step(version):
    system = await warm(version)
    await system.start()
    assert len(system.model.calls) == 5
    assert system.pipeline.deliveries == {"route": 1, "compose": 5, "generate": 5}


async def test_a_run_of_fifty_branches_costs_what_its_steps_cost():
    steps = [f"s{n}: {{prompt: say, with: {{text: x}}}}" for n in range(50)]
    needs = ", ".join(f"s{n}" for n in range(50))
    tip = f"tip: {{needs: [{needs}], prompt: say, with: {{text: x}}}}"
    system = await warm(flow("\n".join([*steps, tip])))
    await system.start()
    assert system.world.documents.writes.total() == 2 + 51 * 2 + 50 + 1
    assert system.world.documents.commits == 1 + 51 * 2
