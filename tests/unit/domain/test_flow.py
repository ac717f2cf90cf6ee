"""Flow files as objects: what they may say, and the graph that follows."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.flow import END, RESERVED, Edge, Flow, ScheduleTrigger

STEP: dict[str, Any] = {"action": "log.write", "with": {"message": "m"}}


def flow_of(steps: dict[str, Any], **more: Any) -> Flow:
    return Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": steps, **more})


@pytest.fixture
def diamond() -> Flow:
    return flow_of(
        {
            "a": STEP,
            "b": {**STEP, "needs": "a"},
            "c": {"prompt": "p", "needs": ["a"]},
            "d": {"call": "x.y", "needs": ["b", "c"]},
            "e": STEP,
        }
    )


def test_the_graph_follows_from_needs(diamond: Flow) -> None:
    assert diamond.roots == ("a", "e")
    assert diamond.leaves == ("d", "e")
    targets = {name: [e.target for e in diamond.outgoing[name]] for name in diamond.steps}
    assert targets == {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": [], "e": []}
    assert diamond.ancestors("d") == {"a", "b", "c"}
    assert diamond.ancestors("a") == frozenset()
    assert diamond.later("b") == {"b", "d"}
    assert [diamond.width(step) for step in ("a", "b", "d", END)] == [0, 1, 2, 2]
    assert [step for step in diamond.steps if diamond.is_join(step)] == ["d"]


def test_a_failure_that_is_provided_for_leads_on_like_a_need() -> None:
    flow = flow_of(
        {
            "a": {**STEP, "on_error": {"goto": "sorry"}},
            "b": {**STEP, "needs": "a"},
            "sorry": STEP,
            "both": {**STEP, "needs": ["b", "sorry"]},
        }
    )
    assert flow.edges == (
        Edge("a", "b"),
        Edge("b", "both"),
        Edge("sorry", "both"),
        Edge("a", "sorry", "error"),
    )
    assert flow.roots == ("a",)
    assert flow.leaves == ("both",)
    assert flow.ancestors("sorry") == {"a"}
    assert flow.later("a") == {"a", "b", "sorry", "both"}
    assert not flow.can_outrun


@pytest.mark.parametrize(
    ("said", "quorum"), [("all", None), ("any", 1), ({"n": 2}, 2), ({"n": 1}, 1)]
)
def test_a_join_waits_for_all_or_for_so_many_successes(said: Any, quorum: int | None) -> None:
    flow = flow_of(
        {"a": STEP, "b": STEP, "c": STEP, "d": {**STEP, "needs": ["a", "b", "c"], "join": said}}
    )
    assert flow.quorum("d") == quorum
    assert flow.quorum(END) is None
    assert flow.can_outrun is (quorum is not None)


def test_a_step_that_finishes_the_run_leaves_others_behind() -> None:
    assert flow_of({"a": {**STEP, "finish": True}, "b": STEP}).can_outrun


def test_what_a_flow_leaves_out_is_not_part_of_its_declaration() -> None:
    """Or every version of a flow would change with each new word of the language."""
    declared = flow_of({"a": STEP}).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert declared["steps"] == {"a": STEP}


@pytest.mark.parametrize(
    ("key", "said", "complaint"),
    [
        ("join", "both", "this is one of: all, any, {n: …}"),
        ("join", 2, "this is one of: all, any, {n: …}"),
        ("join", {"n": 0}, "Input should be greater than or equal to 1"),
        ("join", {"m": 2}, "Field required"),
        ("on_error", "retry", "this is one of: fail, continue, {goto: …}"),
        ("on_error", {"goto": 3}, "Input should be a valid string"),
    ],
)
def test_what_a_graph_cannot_say_is_refused(key: str, said: Any, complaint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        flow_of({"a": {**STEP, key: said}})
    assert refused.value.errors()[0]["msg"] == complaint


def test_the_end_comes_after_everything(diamond: Flow) -> None:
    assert diamond.ancestors(END) == frozenset(diamond.steps)
    assert diamond.later(END) == frozenset()


@pytest.mark.parametrize(
    ("step", "stage"), [("a", "act"), ("c", "compose"), ("d", "act"), ("e", "act")]
)
def test_the_kind_of_a_step_decides_its_stage(diamond: Flow, step: str, stage: str) -> None:
    assert diamond.stage(step) == stage


def test_references_are_those_of_condition_and_arguments() -> None:
    flow = flow_of({"a": {**STEP, "when": "x.y > 1", "with": {"message": ["{{ z }}", "{{ x }}"]}}})
    assert flow.references("a") == {"x", "z"}


@pytest.mark.parametrize(
    ("pattern", "event_type", "taken"),
    [
        ("order.paid", "order.paid", True),
        ("order.*", "order.paid.late", True),
        ("*", "anything", True),
        ("order.*", "orders.paid", False),
        ("order.paid", "Order.paid", False),
    ],
)
def test_a_trigger_takes_types_by_pattern(pattern: str, event_type: str, *, taken: bool) -> None:
    flow = flow_of({"a": STEP}, on={"event": pattern})
    assert flow.takes(event_type) is taken
    assert flow.takes(event_type, "whatever") is taken


@pytest.mark.parametrize(
    ("event_type", "subject", "taken"),
    [
        ("segue.schedule.due", "f", True),
        ("segue.schedule.due", "g", False),
        ("segue.schedule.due", None, False),
        ("segue.schedule.due.late", "f", False),
        ("order.paid", "f", False),
    ],
)
def test_a_schedule_takes_its_own_ticks_only(
    event_type: str, subject: str | None, *, taken: bool
) -> None:
    flow = flow_of({"a": STEP}, on={"schedule": {"cron": "0 9 * * *"}})
    assert flow.takes(event_type, subject) is taken


def test_a_schedule_is_in_utc_and_without_data_unless_told() -> None:
    flow = flow_of({"a": STEP}, on={"where": "true", "schedule": {"cron": "0 9 * * *"}})
    assert isinstance(flow.on, ScheduleTrigger)
    assert (flow.on.schedule.time_zone, flow.on.schedule.data) == ("Etc/UTC", {})
    assert flow.on.where == "true"


@pytest.mark.parametrize(
    "on",
    [{}, {"where": "true"}, {"event": "t", "schedule": {"cron": "0 9 * * *"}}, "t", None],
)
def test_a_flow_has_exactly_one_trigger(on: Any) -> None:
    with pytest.raises(ValidationError, match="exactly one of: event, schedule"):
        flow_of({"a": STEP}, on=on)


@pytest.mark.parametrize(
    "steps",
    [
        {"a": {}},
        {"a": {"prompt": "p", "action": "log.write"}},
        {"a": {"prompt": "p", "call": "c", "action": "x"}},
        {"a": "log.write"},
        {"a": None},
    ],
)
def test_a_step_has_exactly_one_kind(steps: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of: prompt, agent, action, call"):
        flow_of(steps)


@pytest.mark.parametrize(
    "name",
    [*sorted(RESERVED), "in", "if", "class", "A", "1a", "a-b", "a.b", "_a", "", "ä", "x" * 64],
)
def test_a_step_name_must_work_in_expressions(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be used in expressions"):
        flow_of({name: STEP})


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"on": {"event": "t", "were": "x"}},
        {"steps": {"a": {**STEP, "need": "b"}}},
        {"steps": {"a": {"action": "log.write", "arguments": {}}}},
        {"steps": {}},
        {"flow": "Bad Name"},
        {"flow": "x" * 64},
        {"timeout": "soon"},
        {"steps": {"a": {**STEP, "timeout": "0s"}}},
        {"on": "t"},
        {"on": {"schedule": "0 9 * * *"}},
        {"on": {"schedule": {}}},
        {"on": {"schedule": {"cron": "0 9 * * *", "timezone": "UTC"}}},
        {"on": {"schedule": {"cron": "0 9 * * *", "data": [1]}}},
    ],
)
def test_what_a_flow_cannot_say_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": {"a": STEP}, **change})


def test_durations_and_single_needs_are_read_as_people_write_them() -> None:
    flow = flow_of({"a": STEP, "b": {**STEP, "needs": "a", "timeout": "90s"}}, timeout="10m")
    assert (flow.timeout, flow.steps["b"].timeout) == (600.0, 90.0)
    assert flow.steps["b"].needs == ("a",)
