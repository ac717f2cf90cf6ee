"""A wait ends once and its run ends, in whatever order things are opened, told, and timed out."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.commands import Signal
from shared.domain.records import StepRecord
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

WAITS = flow(
    """
    a: {call: test.echo, with: {value: 1}}
    ask: {needs: a, wait: {for: signal, timeout: 60s, on_timeout: continue}}
    after: {needs: ask, call: test.count, with: {name: after, value: "{{ ask }}"}}
    """,
    more="outputs: {after: '{{ after }}'}",
)
ACTS = st.lists(st.sampled_from(["deliver", "signal", "again", "tick", "pass"]), max_size=14)


async def played(acts: list[str], seed: int) -> None:
    calls.SEEN.clear()
    system = System([WAITS], seed=seed)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [run_id] = system.run_ids()
    for n, act in enumerate([*acts, "pass", "run", "tick", "run"]):
        about = {"run": run_id, "name": "ask", "data": n}
        match act:
            case "deliver":
                await system.pipeline.step()
            case "signal":
                await system.publish(Signal.type, about, ce_id=f"s{n}")
            case "again":
                await system.publish(Signal.type, {**about, "data": "same"}, ce_id="same")
            case "tick":
                await system.send("sweep", b"", {"content-type": "application/json"})
            case "pass":
                system.world.clock.advance(50)
            case _:
                system.world.clock.advance(70)
                await system.run()
    report = await system.report()
    assert report["status"] == "succeeded"
    [ended] = [
        step for step in system.stored(f"runs/{run_id}/steps", StepRecord) if step.step == "ask"
    ]
    assert ended.due is None
    assert report["outputs"]["after"] == ended.output
    assert calls.SEEN["after"] == 1
    assert system.letters() == []


@settings(max_examples=40, deadline=None)
@given(acts=ACTS, seed=st.integers(0, 1000))
def test_a_wait_ends_once_whatever_comes_first(acts: list[str], seed: int) -> None:
    asyncio.run(played(acts, seed))
