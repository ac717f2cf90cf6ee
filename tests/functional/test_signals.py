"""Signals and approvals: the first of a name counts, early ones are kept, each ends one wait."""

from __future__ import annotations

from typing import Any

import pytest

from shared.client import RunUnknownError, SignalRefusedError
from shared.client.commanding import decide, signal
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import Signal
from shared.domain.signals import SignalRecord
from tests.functional import calls
from tests.functional.system import EVENT, System, flow
from tests.functional.test_waits import signalled, tick, tick_is_quiet

PAID = signalled("")
REPLY = flow(
    """
    draft: {call: test.echo, with: {value: "{{ event.data }}"}}
    approve:
      needs: draft
      when: draft.confidence < 0.7
      wait: {for: approval, approvers: [ada, bob], message: "Send {{ draft.text }}?", timeout: 24h}
    send: {needs: [draft, approve], call: test.echo, with: {value: "{{ draft.text }}"}}
    """,
    more="outputs: {sent: '{{ send }}', by: '{{ approve.by }}'}",
)
UNSURE = {"confidence": 0.5, "text": "Hi"}


async def told(system: System, name: str, data: Any = None, **about: str) -> None:
    """A signal, as anybody may publish it, delivered with all that follows."""
    [run_id] = system.run_ids()
    await system.start({"run": run_id, "name": name, "data": data, **about}, Signal.type)


def warnings(system: System) -> list[str]:
    return [fields["reason"] for level, _, fields in lines(system) if level == "WARNING"]


def lines(system: System) -> list[tuple[str, str, dict[str, Any]]]:
    return system.world.telemetry.lines


# -- signals ------------------------------------------------------------------------------------


async def test_a_signal_ends_the_wait_for_it():
    system = System([PAID])
    await system.start()
    await told(system, "paid", {"amount": 3}, by="ada")
    report = await system.report()
    assert report["status"] == "succeeded"
    output = report["outputs"]["after"]
    assert (output["data"], output["by"]) == ({"amount": 3}, "ada")
    assert output["at"].startswith("2026-01-01T00:00")


async def test_a_signal_and_its_wait_cost_three_writes_and_no_compute():
    system = System([PAID])
    await system.start()
    await told(system, "paid")
    [run_id] = system.run_ids()
    writes = system.world.documents.writes
    assert writes[f"runs/{run_id}/steps/paid"] == 2
    assert writes[f"runs/{run_id}/signals/paid"] == 1


async def test_an_early_signal_is_not_lost():
    version = flow(
        """
        a: {call: test.echo, with: {value: 1}}
        paid: {needs: a, wait: {for: signal}}
        """,
        more="outputs: {paid: '{{ paid.data }}'}",
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [run_id] = system.run_ids()
    await system.publish(Signal.type, {"run": run_id, "name": "paid", "data": 7})
    await system.pipeline.step("route")
    assert [one.data for one in system.stored(f"runs/{run_id}/signals", SignalRecord)] == [7]
    await system.run()
    assert (await system.report())["outputs"] == {"paid": 7}


async def test_a_signal_by_another_name():
    version = flow("pause: {wait: {for: signal, name: 'go on, please!'}}")
    system = System([version])
    await system.start()
    await told(system, "go on, please!")
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_takes_a_signal_may_die_at_any_point(point: Point):
    system = System([PAID])
    await system.start()
    [run_id] = system.run_ids()
    await system.publish(Signal.type, {"run": run_id, "name": "paid", "data": 1})
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    report = await system.report()
    assert (report["status"], report["outputs"]["after"]["data"]) == ("succeeded", 1)
    assert system.topics("act") <= 2


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_keeps_an_early_signal_may_die_at_any_point(point: Point):
    system = System([flow("a: {call: test.echo}\npaid: {needs: a, wait: {for: signal}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [run_id] = system.run_ids()
    message = await system.publish(Signal.type, {"run": run_id, "name": "paid"})
    [waiting] = [one for one in system.pipeline.collect() if one.message_id == message]
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_the_first_signal_of_a_name_counts():
    system = System([PAID])
    await system.start()
    await told(system, "paid", 1)
    await told(system, "paid", 2)
    assert (await system.report())["outputs"]["after"]["data"] == 1
    assert warnings(system) == ["run-ended"]
    assert system.letters() == []


async def test_a_second_early_signal_changes_nothing():
    system = System([flow("a: {call: test.echo}\npaid: {needs: a, wait: {for: signal}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [run_id] = system.run_ids()
    for data in (1, 2):
        await system.publish(Signal.type, {"run": run_id, "name": "paid", "data": data})
        while await system.pipeline.step("route"):
            pass
    await system.run()
    assert (await system.report())["steps"]["paid"]["output"]["data"] == 1
    assert warnings(system) == ["already"]


async def test_the_same_event_twice_is_one_signal():
    system = System([PAID])
    await system.start()
    [run_id] = system.run_ids()
    for _ in range(2):
        await system.start({"run": run_id, "name": "paid", "data": 1}, Signal.type, ce_id="s1")
    assert (await system.report())["status"] == "succeeded"
    assert warnings(system) == []


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        ({"run": "nobody", "name": "paid"}, "no-run"),
        ({"name": "payed"}, "nobody-waits"),
        ({"name": "paid", "data": {"amount": "many"}}, "unfit"),
    ],
)
async def test_a_signal_that_nobody_takes_is_told_of_and_dropped(
    signal: dict[str, Any], reason: str
):
    system = System([signalled(", schema: {properties: {amount: {type: integer}}}")])
    await system.start()
    [run_id] = system.run_ids()
    await system.start({"run": run_id, **signal}, Signal.type)
    assert warnings(system) == [reason]
    assert system.letters() == []
    assert (await system.statuses())["paid"] == "waiting"


async def test_a_signal_that_comes_when_the_time_is_up_is_too_late():
    version = flow(
        """
        paid: {wait: {for: signal, timeout: 1h, on_timeout: continue}}
        other: {needs: paid, wait: {for: signal}}
        """
    )
    system = System([version])
    await system.start()
    await tick(system, 4000)
    await told(system, "paid")
    assert warnings(system) == ["too-late"]
    assert (await system.report())["steps"]["paid"]["output"] == {"timed_out": True}


# -- approvals ----------------------------------------------------------------------------------


async def test_what_needs_no_approval_goes_on_without_one():
    system = System([REPLY])
    await system.start({"confidence": 0.9, "text": "Hi"})
    report = await system.report()
    assert report["outputs"] == {"sent": "Hi", "by": None}


async def test_an_approval_lets_the_run_go_on():
    system = System([REPLY])
    await system.start(UNSURE)
    assert await system.statuses() == {
        "draft": "succeeded",
        "approve": "waiting",
        "send": "pending",
    }
    await told(system, "approve", {"approved": True, "comment": "fine"}, by="ada")
    report = await system.report()
    assert report["outputs"] == {"sent": "Hi", "by": "ada"}
    approval = report["steps"]["approve"]["output"]
    assert (approval["approved"], approval["comment"]) == (True, "fine")


async def test_a_rejection_fails_the_step_and_leaves_a_letter():
    system = System([REPLY])
    await system.start(UNSURE)
    await told(system, "approve", {"approved": False, "comment": "rude"}, by="bob")
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "ApprovalRejected")
    assert "bob: rude" in report["error"]["message"]
    assert system.letter().step == "approve"
    assert await tick_is_quiet(system)


@pytest.mark.parametrize("point", POINTS)
async def test_a_rejection_that_dies_still_leaves_its_letter(point: Point):
    system = System([REPLY])
    await system.start(UNSURE)
    [run_id] = system.run_ids()
    about = {"run": run_id, "name": "approve", "data": {"approved": False}, "by": "ada"}
    await system.publish(Signal.type, about)
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    await tick(system, 1)
    assert (await system.report())["error"]["code"] == "ApprovalRejected"
    assert system.letter().step == "approve"
    assert await tick_is_quiet(system)


async def test_an_early_rejection_counts():
    system = System([REPLY])
    await system.publish(EVENT, UNSURE)
    await system.pipeline.step("route")
    [run_id] = system.run_ids()
    about = {"run": run_id, "name": "approve", "data": {"approved": False}, "by": "ada"}
    await system.publish(Signal.type, about)
    await system.pipeline.step("route")
    await system.run()
    assert (await system.report())["error"]["code"] == "ApprovalRejected"
    assert system.letter().step == "approve"
    assert await tick_is_quiet(system)


@pytest.mark.parametrize(
    ("on_error", "statuses"),
    [
        ("continue", {"ask": "failed", "after": "succeeded", "sorry": "succeeded"}),
        ("{goto: sorry}", {"ask": "failed", "after": "skipped", "sorry": "succeeded"}),
    ],
)
async def test_a_rejection_may_be_provided_for(on_error: str, statuses: dict[str, str]):
    version = flow(
        f"""
        ask: {{wait: {{for: approval}}, on_error: {on_error}}}
        go: {{call: test.echo}}
        after: {{needs: {"[ask, go]" if on_error == "continue" else "ask"}, call: test.echo}}
        sorry: {{call: test.echo}}
        """
    )
    system = System([version])
    await system.start()
    await told(system, "ask", {"approved": False})
    found = await system.statuses()
    del found["go"]
    assert found == statuses
    assert system.letters() == []


async def test_whoever_may_not_decide_changes_nothing():
    system = System([REPLY])
    await system.start(UNSURE)
    await told(system, "approve", {"approved": True}, by="eve")
    await told(system, "approve", {"approved": True})
    await told(system, "approve", {"approved": "yes"}, by="ada")
    assert warnings(system) == ["not-approver", "not-approver", "unfit"]
    assert (await system.statuses())["approve"] == "waiting"


async def test_a_redrive_asks_once_more_and_forgets_the_rejection():
    system = System([REPLY])
    await system.start(UNSURE)
    await told(system, "approve", {"approved": False}, by="ada")
    await system.redrive()
    assert (await system.statuses())["approve"] == "waiting"
    await told(system, "approve", {"approved": True}, by="bob")
    assert (await system.report())["outputs"] == {"sent": "Hi", "by": "bob"}
    assert warnings(system) == []


async def test_a_wait_keeps_its_time_while_its_run_is_redriven_for_another_reason():
    version = flow(
        """
        bad: {call: test.count, with: {name: bad}}
        ask: {wait: {for: signal, timeout: 1h}}
        tip: {needs: [bad, ask], call: test.echo}
        """
    )
    calls.BROKEN.add("bad")
    system = System([version])
    await system.start()
    assert (await system.report())["status"] == "failed"
    await told(system, "ask")
    assert warnings(system) == ["run-ended"]
    await tick(system, 4000)
    assert (await system.statuses())["ask"] == "waiting"
    calls.BROKEN.clear()
    await system.redrive()
    await tick(system, 1)
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "WaitTimeout")


# -- from a client ------------------------------------------------------------------------------


async def test_a_client_is_told_at_once_what_cannot_be_done():
    system = System([REPLY])
    await system.start(UNSURE)
    ports = system.pipeline.deps()
    [run_id] = system.run_ids()
    about = {"approved": True, "comment": None, "ports": ports}
    with pytest.raises(RunUnknownError, match="there is no run"):
        await signal("nobody", "approve", None, None, ports)
    with pytest.raises(SignalRefusedError, match="there is approve"):
        await signal(run_id, "aprove", None, None, ports)
    with pytest.raises(SignalRefusedError, match="'eve' may not decide this; ada, bob may"):
        await decide(run_id, "approve", by="eve", **about)
    await decide(run_id, "approve", by="ada", **about)
    await system.run()
    with pytest.raises(SignalRefusedError, match="has succeeded"):
        await decide(run_id, "approve", by="ada", **about)
