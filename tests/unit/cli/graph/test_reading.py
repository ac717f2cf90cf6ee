"""A flow as nodes and links: everything it says is there, in its own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field

from shared.cli.graph.model import END, START, Link, Note, Way
from shared.cli.graph.reading import graph_of
from shared.domain.flow import Flow
from shared.domain.model import Declared
from shared.domain.step import ActionStep
from shared.domain.version import FlowVersion

Flows = Callable[..., FlowVersion]


class Retry(Declared):
    """A construct that drawing has never heard of."""

    attempts: int
    jitter: bool = True


class RetriedStep(ActionStep):
    """A step that says it."""

    kind: ClassVar[str] = "action"
    hedge: Retry | None = Field(None)


def test_links_are_the_flows_edges_between_its_trigger_and_its_end(branching: FlowVersion) -> None:
    assert set(graph_of(branching).links) == {
        Link(START, "check"),
        Link("check", "pay"),
        Link("check", "gift"),
        Link("pay", "tell"),
        Link("pay", "fix", Way.ERROR),
        Link("fix", "tell"),
        Link("gift", "tell"),
        Link("tell", "rest"),
        Link("tell", END, Way.FINISH),
        Link("rest", END),
    }


def test_a_step_that_only_leads_on_after_a_failure_leads_to_the_end(flows: Flows) -> None:
    version = flows({"pay": {"on_error": {"goto": "fix"}}, "fix": {}})
    assert set(graph_of(version).links) == {
        Link(START, "pay"),
        Link("pay", "fix", Way.ERROR),
        Link("pay", END),
        Link("fix", END),
    }


def test_what_steps_say_is_noted_in_the_flows_words(branching: FlowVersion) -> None:
    told = {node.name: [str(note) for note in node.notes] for node in graph_of(branching).nodes}
    assert told == {
        START: ["timeout 10m"],
        "check": [],
        "pay": ["timeout 90s"],
        "fix": [],
        "gift": ["when event.data.total > 100"],
        "tell": ["join 1 of 3", "finish"],
        "rest": ["on error continue"],
        END: ["paid {{ pay }}"],
    }


def test_a_key_that_drawing_does_not_know_is_told_as_it_is_written(flows: Flows) -> None:
    version = flows({"a": {}})
    step = RetriedStep(action="log.write", hedge=Retry(attempts=3, jitter=False))
    flow = version.flow.model_copy(update={"steps": {"a": step}})
    [_, node, _] = graph_of(version.model_copy(update={"flow": flow})).nodes
    assert node.notes == (Note("hedge", "attempts 3, jitter false"),)


def test_nodes_tell_what_they_use(flows: Flows) -> None:
    [start, step, end] = graph_of(flows({"a": {}})).nodes
    assert (start.kind, start.title) == ("event", "order.placed")
    assert (step.does, end.title) == ("action log.write", "end")


def test_a_schedule_is_told_with_its_time_zone_and_its_condition(flows: Flows) -> None:
    on: dict[str, Any] = {
        "schedule": {"cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin"},
        "where": "event.data",
    }
    start = graph_of(flows({"a": {}}, on=on)).nodes[0]
    assert (start.kind, start.title) == ("schedule", "0 9 * * 1-5, Europe/Berlin")
    assert start.notes == (Note("where", "event.data"),)


def test_the_trigger_tells_what_runs_wait_for() -> None:
    declared = {
        "on": {"batch": {"event": "x.*", "size": 5, "wait": "90s", "key": "event.data.k"}},
        "order_by": "event.data.key",
        "rate": {"limit": 10, "per": "1m", "burst": 2},
    }
    steps = {"a": {"action": "log.write", "with": {"message": "hi"}}}
    flow = Flow.model_validate({"flow": "f", "steps": steps, **declared})
    start = graph_of(FlowVersion(flow=flow)).nodes[0]
    assert (start.kind, start.title) == ("batch", "x.*")
    assert [(note.key, note.text) for note in start.notes] == [
        ("batch", "size 5, wait 90s, key event.data.k"),
        ("order by", "event.data.key"),
        ("rate", "limit 10, per 1m, burst 2"),
    ]


def test_a_child_names_its_flow_and_a_flow_that_others_call_is_started_by_its_name() -> None:
    steps = {"a": {"flow": "refund"}, "b": {"flow": "notify", "await": False, "needs": "a"}}
    version = FlowVersion.model_validate({"flow": {"flow": "f", "on": "call", "steps": steps}})
    [start, a, b, _] = graph_of(version).nodes
    assert (start.kind, start.title) == ("name", "f")
    assert (a.does, b.does) == ("flow refund", "flow notify")
    assert (a.notes, b.notes) == ((), (Note("awaited", "false"),))


def test_what_undoes_a_step_and_what_a_failure_starts_are_noted(flows: Flows) -> None:
    compensate = {"call": "crm.forget", "with": {"id": "{{ a }}"}, "retry": {"attempts": 3}}
    [start, step, _] = graph_of(flows({"a": {"compensate": compensate}}, on_failure="tell")).nodes
    assert start.notes == (Note("on failure", "tell"),)
    assert step.notes == (Note("compensate", "call crm.forget"),)
