"""Every shape of graph runs each step once, after all it needs, and ends once."""

from __future__ import annotations

import pytest

from shared.domain.records import RunRecord
from tests.functional.system import System, flow


def echo(name: str, needs: str = "", value: str = "1") -> str:
    wanted = f"needs: {needs}, " if needs else ""
    return f"{name}: {{{wanted}call: test.count, with: {{name: {name}, value: {value}}}}}"


def graph(*steps: str, outputs: str = "") -> System:
    more = f"outputs: {{{outputs}}}" if outputs else ""
    return System([flow("\n".join(steps), more=more)])


async def test_a_sequence_hands_each_output_on():
    system = graph(
        "a: {prompt: say, with: {text: one}}",
        "b: {needs: a, prompt: say, with: {text: '{{ a.text }}'}}",
        "c: {needs: b, prompt: say, with: {text: '{{ b.text }}'}}",
        outputs="last: '{{ c.text }}'",
    )
    await system.start()
    assert (await system.report())["outputs"] == {"last": "c(b(a(one)))"}
    assert system.asked() == ["a: one", "b: a(one)", "c: b(a(one))"]


async def test_parallel_steps_all_run_and_the_run_ends_once():
    system = graph(*(echo(f"s{n}", value=str(n)) for n in range(6)), outputs="sum: '{{ s1 + s5 }}'")
    await system.start()
    report = await system.report()
    assert set((await system.statuses()).values()) == {"succeeded"}
    assert report["outputs"] == {"sum": 6}
    assert (await system.joins())["$end"]["arrived"] == 6


async def test_a_diamond_joins_both_branches():
    system = graph(
        echo("top", value="3"),
        echo("left", "top", "'{{ top * 2 }}'"),
        echo("right", "top", "'{{ top * 5 }}'"),
        echo("tip", "[left, right]", "'{{ left + right + top }}'"),
        outputs="sum: '{{ tip }}'",
    )
    await system.start()
    assert (await system.report())["outputs"] == {"sum": 24}
    assert system.topics("act") == 4


async def test_nested_joins_fire_in_turn():
    system = graph(
        echo("a"),
        echo("b"),
        echo("c"),
        echo("d"),
        echo("ab", "[a, b]", "'{{ a + b }}'"),
        echo("cd", "[c, d]", "'{{ c + d }}'"),
        echo("all", "[ab, cd, a]", "'{{ ab + cd + a }}'"),
        outputs="sum: '{{ all }}'",
    )
    await system.start()
    assert (await system.report())["outputs"] == {"sum": 5}
    counts = {name: join["arrived"] for name, join in (await system.joins()).items()}
    assert counts == {"ab": 2, "cd": 2, "all": 3}


async def test_a_step_can_be_needed_by_a_join_and_by_what_the_join_needs():
    system = graph(
        echo("a"),
        echo("b", "a", "'{{ a + 1 }}'"),
        echo("c", "[a, b]", "'{{ a + b }}'"),
        outputs="sum: '{{ c }}'",
    )
    await system.start()
    assert (await system.report())["outputs"] == {"sum": 3}


async def test_a_join_of_calls_and_prompts_sees_both():
    system = graph(
        "said: {prompt: say, with: {text: hello}}",
        echo("counted", value="7"),
        "told: {needs: [said, counted], prompt: say,"
        " with: {text: '{{ said.text }} {{ counted }}'}}",
        outputs="told: '{{ told.text }}'",
    )
    await system.start()
    assert (await system.report())["outputs"] == {"told": "told(said(hello) 7)"}


@pytest.mark.parametrize("seed", range(5))
async def test_the_last_of_several_leaves_ends_the_run(seed: int):
    more = "outputs: {sum: '{{ b + c + e }}'}"
    steps = [echo("a"), echo("b", "a"), echo("c", "a"), echo("d"), echo("e", "d", "4")]
    system = System([flow("\n".join(steps), more=more)], seed=seed)
    await system.start()
    assert (await system.report())["outputs"] == {"sum": 6}
    assert system.world.documents.writes[f"runs/{system.run_ids()[0]}"] == 2


@pytest.mark.parametrize("seed", range(3))
async def test_a_join_of_fifty_fires_once(seed: int):
    branches = [echo(f"s{n}", value=str(n)) for n in range(50)]
    needs = ", ".join(f"s{n}" for n in range(50))
    total = " + ".join(f"s{n}" for n in range(50))
    tip = echo("tip", f"[{needs}]", f"'{{{{ {total} }}}}'")
    system = System([flow("\n".join([*branches, tip]))], seed=seed)
    await system.start()
    report = await system.report()
    assert report["status"] == "succeeded"
    assert report["steps"]["tip"]["output"] == sum(range(50))
    assert report["steps"]["tip"]["attempts"] == 1
    assert (await system.joins())["tip"]["arrived"] == 50
    assert system.topics("act") == 51


async def test_a_flow_may_have_a_hundred_steps_in_a_row():
    steps = [echo("s0")]
    steps += [echo(f"s{n}", f"s{n - 1}", f"'{{{{ s{n - 1} + 1 }}}}'") for n in range(1, 100)]
    system = graph(*steps, outputs="last: '{{ s99 }}'")
    await system.start()
    assert (await system.report())["outputs"] == {"last": 100}


async def test_runs_of_one_flow_do_not_mix():
    system = graph(
        echo("a", value="'{{ event.data.n }}'"),
        echo("b", value="'{{ event.data.n * 2 }}'"),
        echo("c", "[a, b]", "'{{ a + b }}'"),
        outputs="n: '{{ c }}'",
    )
    for n in range(10):
        await system.publish("thing.happened", {"n": n})
    await system.run()
    outputs = [(await system.report(run))["outputs"]["n"] for run in system.run_ids()]
    assert sorted(outputs) == [3 * n for n in range(10)]


async def test_an_event_pattern_takes_matching_types_and_no_others():
    system = System([flow("a: {call: test.echo}", more="on: {event: 'order.*.paid'}")])
    for event_type in ("order.eu.paid", "order.us.paid", "order.paid", "order.eu.refused"):
        await system.publish(event_type)
    await system.run()
    types = sorted(run.event_type for run in system.stored("runs", RunRecord))
    assert types == ["order.eu.paid", "order.us.paid"]


async def test_a_sync_function_is_called_like_an_async_one():
    system = graph("a: {call: test.sync, with: {value: 41}}", outputs="n: '{{ a }}'")
    await system.start()
    assert (await system.report())["outputs"] == {"n": 42}
