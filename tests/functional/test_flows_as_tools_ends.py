"""People, budgets, ends and redrives of agents whose calls wait for runs of other flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain.starts.by_name import START
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.agents import asks, model, script, tools
from tests.functional.family import child_of, later, leaf, run_of, sweep, type_of
from tests.functional.system import EVENT, System, echoing
from tests.functional.teams import (
    ASK,
    CALL,
    INPUT,
    ONCE,
    SLOW_WORKER,
    TWICE,
    WORKER,
    boss,
    called,
    children,
)
from tests.functional.test_agent_permits import says
from tests.functional.test_agents import to_the_message_of
from tests.functional.test_money import balance


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


async def test_a_run_is_opened_when_a_person_has_approved_of_it():
    approved = ASK.replace("}", ", approval: {when: args.n > 3}, approvers: [ada]}")
    asked = model(ONCE, "It is 8.")
    system = System([boss(f"[{approved}]"), WORKER], model=asked)
    await system.start({"n": 7})
    assert (called(system).status, children(system)) == ("waiting", [])
    await says(system, approved=True)
    assert run_of(system).outputs == {"said": "It is 8."}


async def test_what_its_run_spends_counts_against_the_budget():
    worker = leaf("worker", "{prompt: say, with: {text: hi}}", INPUT)
    more = "outputs: {said: '{{ help.text }}'}\nbudget: {tokens: 50k}"
    asked = ScriptedModel({"helper": script(ONCE, "Done.")}, default=echoing)
    system = System([boss(flow_more=more, worker=worker), worker], model=asked)
    await system.start({"n": 7})
    assert run_of(system).status == "succeeded"
    spent = 0
    for run_id in system.run_ids():
        tokens = (await system.report(run_id))["totals"]["tokens"]
        spent += tokens["input"] + tokens["output"]
    assert len(asked.calls) == 3
    assert balance(system, run_of(system).run_id).spent.tokens == spent


async def test_a_run_that_is_cancelled_takes_the_runs_of_its_agents_along():
    calls.BROKEN.add("leaf")
    system = System([boss(), SLOW_WORKER], model=model(TWICE, "Done."))
    await system.start({"n": 7})
    await system.start({"run": run_of(system).run_id}, "segue.run.cancel")
    assert [run.status for run in children(system)] == ["cancelled"] * 2
    assert called(system).status == "cancelled"
    assert system.letters() == []


@pytest.mark.parametrize(
    ("more", "status"),
    [("", "failed"), (", on_error: continue", "running"), (", fallback: {value: {}}", "running")],
)
async def test_an_agent_that_has_no_more_time_waits_for_no_run(more: str, status: str):
    calls.BROKEN.add("leaf")
    pause = "pause: {wait: {for: signal}}"
    version = boss(f"[{ASK}]", pause, more=f", timeout: 10m{more}", flow_more="")
    system = System([version, SLOW_WORKER], model=model(ONCE, "Done."))
    await system.start({"n": 7})
    await sweep(system, 600)
    assert (run_of(system).status, child_of(system, "worker").status) == (status, "cancelled")


@pytest.mark.parametrize("late", [False, True])
async def test_an_agent_that_fails_of_another_call_cancels_the_runs_of_its_own(*, late: bool):
    """Also one whose run is opened after that."""
    calls.BROKEN.add("leaf")
    both = asks(("ask_worker", {"n": 1}), ("book", {"n": 2}))
    version = boss(f"[book, {ASK}]", "pause: {wait: {for: signal}}", more=", on_error: continue")
    system = System([version, SLOW_WORKER], model=model(both, "Done."))
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, CALL, "act")
    [other] = [one for one in system.pipeline.collect() if "call-1" in str(one.message)]
    other = system.pipeline.take(other)
    while not (found := [one for one in system.pipeline.collect() if type_of(one) == START]):
        await system.pipeline.step()
    if late:
        held = system.pipeline.take(found[0])
    else:
        await system.run()
    await system.send("act-dead", other.message.data, {**other.message.attributes, **REASON})
    await system.run()
    if late:
        await system.pipeline.deliver(held)
        await system.run()
    assert child_of(system, "worker").status == "cancelled"


REASON = {"segue-reason": "broken", "segue-reason-code": "Broken", "segue-from-stage": "act"}


async def test_a_run_that_is_paused_opens_none_until_it_is_resumed():
    system = System([boss(), WORKER], model=model(ONCE, "It is 8."))
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, CALL, "act")
    run_id = run_of(system).run_id
    await system.publish("segue.run.pause", {"run": run_id})
    await system.pipeline.step("route")
    await system.run()
    assert children(system) == []
    await system.start({"run": run_id}, "segue.run.resume")
    assert run_of(system).outputs == {"said": "It is 8."}


LAST = later("call: test.count, with: {name: last}")


@pytest.mark.parametrize("more", [", timeout: 10m", ""], ids=["of the agent", "of another step"])
async def test_a_redrive_goes_on_with_another_run_in_place_of_one_that_was_cancelled(more: str):
    calls.BROKEN.update({"leaf", *(() if more else ("last",))})
    version = boss(f"[{ASK.replace('}', ', approval: always}')}]", LAST, more=more)
    asked = model(ONCE, "It is 8.")
    system = System([version, SLOW_WORKER], model=asked)
    await system.start({"n": 7})
    await says(system, approved=True)
    await sweep(system, 600)
    assert (run_of(system).status, child_of(system, "worker").status) == ("failed", "cancelled")
    calls.BROKEN.clear()
    await system.redrive(run_of(system).run_id)
    await sweep(system)
    assert (run_of(system).status, run_of(system).outputs) == ("succeeded", {"said": "It is 8."})
    assert sorted(run.status for run in children(system)) == ["cancelled", "succeeded"]
    assert len(asked.calls) == 2


async def test_a_redrive_of_the_run_below_goes_on_with_it_alone():
    calls.BROKEN.add("leaf")
    asked = model(ONCE, "It cannot be done.")
    system = System([boss(), WORKER], model=asked)
    await system.start({"n": 7})
    calls.BROKEN.clear()
    await system.redrive()
    assert child_of(system, "worker").outputs == {"n": 8}
    assert run_of(system).outputs == {"said": "It cannot be done."}
    assert len(asked.calls) == 2
