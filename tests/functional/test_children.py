"""A step that opens a run of another flow: opened once, awaited, and what comes of it folded in."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import RunEnded
from shared.domain.events import HOPS
from shared.domain.records import EventRecord, RunRecord
from shared.domain.starts.by_name import START
from tests.functional import calls
from tests.functional.family import PARENT, child_of, leaf, parent, run_of, steps, sweep, type_of
from tests.functional.system import EVENT, System, flow

# -- up -----------------------------------------------------------------------------------------


async def test_a_step_waits_for_its_child_and_has_its_outputs():
    system = System([PARENT, leaf()])
    await system.start(ce_id="e1")
    above, child = run_of(system), child_of(system)
    assert (above.status, above.outputs) == ("succeeded", {"n": 8})
    assert child.outputs == {"n": 8}
    assert child.parent is not None
    assert (child.parent.run_id, child.parent.step) == (above.run_id, "kid")
    assert child.correlation_id == above.correlation_id
    assert child.traceparent[:36] == above.traceparent[:36]
    told = await steps(system)
    assert told["kid"]["child"] == child.run_id
    assert (await system.report(child.run_id))["parent"] == {
        "run_id": above.run_id,
        "step": "kid",
    }
    assert system.letters() == []


async def test_the_childs_event_is_its_own_with_what_with_gives():
    system = System([PARENT, leaf(), leaf("other")])
    await system.start(ce_id="e1", tenant="a")
    [event] = [one for one in system.stored("events", EventRecord) if one.type == START]
    assert event.event["data"] == {"n": 4}
    assert event.event["causation_id"] == "e1"
    assert event.event["subject"] == "leaf"
    assert {run.flow for run in system.stored("runs", RunRecord)} == {"thing", "leaf"}
    child = child_of(system)
    assert child.extensions == {"tenant": "a", HOPS: "1"}


async def test_a_child_is_waiting_meanwhile():
    system = System([PARENT, leaf()])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("act")
    told = await steps(system)
    assert (told["kid"]["status"], run_of(system).status) == ("waiting", "running")


async def test_a_child_costs_two_writes_beside_its_own_run():
    system = System([PARENT, leaf()])
    await system.start()
    writes = system.world.documents.writes
    above, child = run_of(system).run_id, child_of(system).run_id
    assert writes[f"runs/{above}/steps/kid"] == 2
    assert writes[f"runs/{above}"] == 2  # opened and ended
    assert writes[f"runs/{child}"] == 3  # opened, ended, and heard of


@pytest.mark.parametrize(
    ("more", "status", "output"),
    [
        ("", "failed", None),
        (", on_error: continue", "succeeded", {"n": None}),
        (", fallback: {value: {n: '{{ before }}'}}", "succeeded", {"n": 4}),
        (", fallback: {step: spare}", "succeeded", {"n": 7}),
        (", on_error: {goto: spare}", "succeeded", {"n": None}),
    ],
)
async def test_a_child_that_fails_fails_its_step(more: str, status: str, output: object):
    calls.BROKEN.add("leaf")
    spare = "spare: {call: test.echo, with: {value: {n: 7}}}" if "spare" in more else ""
    system = System([parent(f"flow: leaf, with: {{n: 1}}{more}", others=spare), leaf()])
    await system.start()
    above, kid = run_of(system), (await steps(system))["kid"]
    assert (above.status, above.outputs) == (status, output)
    if kid["status"] == "failed":
        assert kid["error"]["code"] == "ChildFailed"
        assert "ActionFailed: test.count" in kid["error"]["message"]
        assert child_of(system).run_id in kid["error"]["message"]
    told = sorted(str(letter.flow) for letter in system.letters())
    assert told == (["leaf", "thing"] if status == "failed" else ["leaf"])


async def test_data_that_the_child_refuses_fails_the_step():
    schema = "input: {type: object, properties: {n: {type: string}}}"
    system = System([PARENT, leaf(more=schema)])
    await system.start()
    kid = (await steps(system))["kid"]
    assert (kid["status"], kid["error"]["code"]) == ("failed", "ChildFailed")
    assert "InputInvalid" in kid["error"]["message"]
    assert (child_of(system).status, run_of(system).status) == ("failed", "failed")


async def test_a_child_whose_flow_is_gone_fails_the_step():
    system = System([PARENT])
    await system.start()
    kid = (await steps(system))["kid"]
    assert (kid["status"], kid["error"]["code"]) == ("failed", "ChildMissing")
    assert "there is no flow 'leaf'" in kid["error"]["message"]
    system.deploy(PARENT, leaf())
    await system.redrive()
    assert run_of(system).outputs == {"n": 8}
    assert calls.SEEN["before"] == 1


async def test_with_that_cannot_be_filled_fails_the_step():
    version = parent("flow: leaf, with: {n: '{{ before.none.at.all }}'}, on_error: continue")
    system = System([version, leaf()])
    await system.start()
    kid = (await steps(system))["kid"]
    assert (kid["status"], kid["error"]["code"]) == ("failed", "Expression")
    assert "`with`" in kid["error"]["message"]
    assert run_of(system).status == "succeeded"
    assert len(system.run_ids()) == 1


async def test_a_child_of_too_many_is_not_opened():
    system = System([PARENT, leaf()])
    await system.start(**{HOPS: "25"})
    kid = (await steps(system))["kid"]
    assert (kid["error"]["code"], len(system.run_ids())) == ("ChildNested", 1)


async def test_children_have_children():
    mid = flow(
        "kid: {flow: leaf, with: {n: '{{ event.data.n + 1 }}'}}",
        name="mid",
        more="on: call\noutputs: {n: '{{ kid.n }}'}",
    )
    system = System([parent("flow: mid, with: {n: 3}"), mid, leaf()])
    await system.start()
    assert run_of(system).outputs == {"n": 8}
    assert len({run.correlation_id for run in system.stored("runs", RunRecord)}) == 1
    assert child_of(system).extensions[HOPS] == "2"


# -- let go -------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [False, True])
async def test_a_child_that_is_let_go_is_nobodys_business(*, broken: bool):
    calls.BROKEN.update({"leaf"} if broken else ())
    version = parent(
        "flow: leaf, await: false, with: {n: 3}", more="outputs: {id: '{{ kid.run_id }}'}"
    )
    system = System([version, leaf()])
    await system.start()
    child, above = child_of(system), run_of(system)
    assert (above.status, above.outputs) == ("succeeded", {"id": child.run_id})
    assert child.status == ("failed" if broken else "succeeded")
    assert child.parent is None
    assert child.correlation_id == above.correlation_id
    assert system.world.documents.writes[f"runs/{above.run_id}/steps/kid"] == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_child_is_let_go_though_whoever_did_it_dies(point: Point):
    version = parent("flow: leaf, await: false, with: {n: 3}", more="")
    system = System([version, leaf()])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "before")
    await system.run()
    assert (run_of(system).status, child_of(system).status) == ("succeeded", "succeeded")


# -- crashes and repetitions --------------------------------------------------------------------


def require_once(system: System) -> None:
    assert (run_of(system).status, run_of(system).outputs) == ("succeeded", {"n": 8})
    assert len(system.run_ids()) == 2
    assert calls.SEEN["leaf"] == 1
    assert system.letters() == []


@pytest.mark.parametrize("point", POINTS)
async def test_a_child_is_opened_once_though_whoever_opens_it_dies(point: Point):
    system = System([PARENT, leaf()])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "before")
    await system.run()
    require_once(system)


@pytest.mark.parametrize("kind", [START, RunEnded.type])
@pytest.mark.parametrize("point", ["decoded", "committed", "emitted"])
async def test_a_child_begins_and_is_told_of_once_though_route_dies(kind: str, point: Point):
    system = System([PARENT, leaf()])
    await system.publish(EVENT)
    while not (found := [one for one in system.pipeline.collect() if type_of(one) == kind]):
        await system.pipeline.step()
    await system.killed_on(system.pipeline.take(found[0]), point)
    await system.run()
    require_once(system)


async def test_an_end_that_nobody_heard_of_is_told_by_sweep():
    system = System([PARENT, leaf()])
    await system.publish(EVENT)
    while not (
        found := [one for one in system.pipeline.collect() if type_of(one) == RunEnded.type]
    ):
        await system.pipeline.step()
    system.pipeline.take(found[0])  # lost
    await system.run()
    assert run_of(system).status == "running"
    await sweep(system, 60)
    require_once(system)


@pytest.mark.parametrize("seed", range(6))
async def test_every_message_twice_is_every_message_once(seed: int):
    system = System([PARENT, leaf()], seed=seed)
    await system.publish(EVENT, ce_id="e1")
    repeated: set[str] = set()
    while waiting := system.pipeline.collect():
        for one in waiting:
            if one.message_id not in repeated:
                repeated.add(one.message_id)
                again = await system.send(one.topic, one.message.data, one.message.attributes)
                repeated.add(again)
        await system.pipeline.step()
    require_once(system)
