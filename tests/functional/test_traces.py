"""One correlation id and one trace tell the whole story, across stages, retries and events."""

from __future__ import annotations

import json

import pytest

from shared.domain.envelope import Message, decode
from shared.domain.records import RunRecord
from shared.domain.trace import parse_traceparent
from shared.errors import ModelUnreachableError
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, echoing, flow

FLOW = flow("""
    a: {prompt: say, with: {text: hi}}
    b: {call: test.count, with: {name: b}}
    c: {needs: [a, b], prompt: say, with: {text: bye}}
    d: {needs: c, action: log.write, with: {message: done}}
""")
NEXT = flow(
    "x: {call: test.count, with: {name: x, value: '{{ event.data }}'}}",
    name="next",
    more="on: {event: thing.done}\noutputs: {got: '{{ x }}', event: '{{ event }}'}",
)
DERIVING = flow("""
    a:
      action: event.publish
      with: {type: thing.done, data: {n: "{{ event.data.n }}"}, subject: s}
""")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def sent(system: System, *topics: str) -> list[Message]:
    """What was ever published to these topics; to all where none is named."""
    published = system.world.messages.published
    return [message for topic, _, message in published if not topics or topic in topics]


async def test_all_reports_and_messages_share_trace_and_correlation():
    system = System([FLOW])
    await system.start(correlationid="order-7", traceparent=TRACE)
    reports = system.world.telemetry.reports
    assert {one.stage for one in reports} == {"route", "compose", "generate", "act"}
    assert {one.trace_id for one in reports} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert {one.labels["correlation_id"] for one in reports} == {"order-7"}
    for message in sent(system):
        assert message.attributes["correlationid"] == "order-7"
        assert parse_traceparent(message.attributes["traceparent"]).trace_id == reports[0].trace_id


async def test_without_a_trace_the_correlation_id_names_one():
    system = System([FLOW])
    await system.start(ce_id="e1")
    traces = {one.trace_id for one in system.world.telemetry.reports}
    correlations = {one.labels["correlation_id"] for one in system.world.telemetry.reports}
    assert (len(traces), len(correlations)) == (1, 1)
    assert correlations == {(await system.report())["correlation_id"]}


async def test_parent_spans_form_one_tree_from_the_publisher_down():
    system = System([FLOW])
    await system.start(traceparent=TRACE)
    reports = system.world.telemetry.reports
    spans = {one.span_id: one for one in reports}
    assert len(spans) == len(reports)
    [root] = [one for one in reports if one.parent_span_id not in spans]
    assert (root.stage, root.parent_span_id) == ("route", "00f067aa0ba902b7")
    for one in reports:
        if one.stage == "generate":
            assert spans[one.parent_span_id].stage == "compose"
            assert spans[one.parent_span_id].labels["step"] == one.labels["step"]


async def test_each_attempt_has_its_own_span_under_the_same_parent():
    model = ScriptedModel({"say": [ModelUnreachableError("503"), "fine"]}, default=echoing)
    system = System([FLOW], model=model)
    await system.start()
    attempts = [one for one in system.world.telemetry.reports if one.stage == "generate"]
    failed = next(one for one in attempts if one.disposition == "nack")
    again = next(
        one for one in attempts if one.message_id == failed.message_id and one is not failed
    )
    assert failed.span_id != again.span_id
    assert failed.parent_span_id == again.parent_span_id
    assert (failed.attempt, again.attempt) == (1, 2)


async def test_extension_attributes_are_carried_through_every_stage():
    system = System([FLOW])
    await system.start(tenant="acme", ce_partitionkey="p1")
    for message in sent(system, "compose", "generate", "act"):
        assert message.attributes["tenant"] == "acme"
        assert message.attributes["ce-partitionkey"] == "p1"
        assert not any(name in message.attributes for name in ("ce-type", "ce-id"))


async def test_extension_attributes_survive_a_redrive():
    calls.BROKEN.add("b")
    system = System([FLOW])
    await system.start(tenant="acme", traceparent=TRACE)
    calls.BROKEN.clear()
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"
    assert {one.attributes["tenant"] for one in sent(system)} == {"acme"}
    assert {one.trace_id for one in system.world.telemetry.reports} == {TRACE.split("-")[1]}


async def test_labels_name_run_flow_and_step():
    system = System([FLOW])
    await system.start()
    [run_id] = system.run_ids()
    for one in system.world.telemetry.reports:
        if one.stage != "route":
            assert (one.labels["run_id"], one.labels["flow"]) == (run_id, "thing")
            assert one.labels["step"] in "abcd"


async def test_a_report_of_a_model_call_says_what_it_cost():
    system = System([FLOW])
    await system.start()
    for one in system.world.telemetry.reports:
        assert (one.usage is not None and one.usage.llm_calls == 1) is (one.stage == "generate")
        if one.stage == "generate":
            assert (one.labels["prompt"], len(one.labels["prompt_version"])) == ("say", 16)
            [call] = one.calls
            assert (call.asked, call.reply.model) == ("gemini-2.5-flash", "gemini-2.5-flash")


async def test_a_log_line_of_a_flow_is_in_its_trace():
    system = System([FLOW])
    await system.start(traceparent=TRACE)
    [(severity, message, fields)] = [
        line for line in system.world.telemetry.lines if "kind" not in line[2]
    ]
    assert (severity, message, fields["trace_id"]) == ("INFO", "done", TRACE.split("-")[1])
    assert (fields["labels"]["stage"], fields["labels"]["step"]) == ("act", "d")


@pytest.mark.parametrize("broken", ["nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", ""])
async def test_a_broken_traceparent_is_replaced(broken: str):
    system = System([FLOW])
    await system.start(traceparent=broken)
    assert (await system.report())["status"] == "succeeded"
    assert len({one.trace_id for one in system.world.telemetry.reports}) == 1


async def test_an_unsampled_trace_stays_unsampled():
    system = System([FLOW])
    await system.start(traceparent=TRACE[:-1] + "0")
    assert {one.attributes["traceparent"][-2:] for one in sent(system)} == {"00"}


async def test_a_derived_event_continues_the_story():
    system = System([DERIVING, NEXT])
    await system.start({"n": 3}, ce_id="e1", correlationid="c1", tenant="acme", traceparent=TRACE)
    [_, derived] = sent(system, "events")
    key = derived.attributes["ce-id"]
    run_id = next(one for one in system.run_ids() if one.startswith("thing-"))
    assert derived.attributes | {"traceparent": ""} == {
        "ce-specversion": "1.0",
        "ce-id": key,
        "ce-type": "thing.done",
        "ce-source": f"//segue/flows/thing/runs/{run_id}/steps/a",
        "ce-subject": "s",
        "correlationid": "c1",
        "causationid": "e1",
        "content-type": "application/json",
        "segue-hops": "1",
        "tenant": "acme",
        "traceparent": "",
    }
    assert json.loads(derived.data) == {"n": 3}
    assert {one.trace_id for one in system.world.telemetry.reports} == {TRACE.split("-")[1]}


async def test_a_derived_event_starts_the_next_flow():
    system = System([DERIVING, NEXT])
    await system.start({"n": 3}, ce_id="e1", correlationid="c1")
    runs = {run.flow: run for run in system.stored("runs", RunRecord)}
    assert runs["next"].correlation_id == runs["thing"].correlation_id == "c1"
    outputs = runs["next"].outputs
    assert outputs["got"] == {"n": 3}
    assert (outputs["event"]["causation_id"], outputs["event"]["subject"]) == ("e1", "s")


async def test_a_derived_event_keeps_its_id_when_it_is_published_again():
    system = System([DERIVING, NEXT])
    await system.publish(EVENT, {"n": 3}, ce_id="e1")
    await system.pipeline.step("route")
    await system.killed_at("worked", "a")
    await system.run()
    ids = [message.attributes["ce-id"] for message in sent(system, "events")[1:]]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert calls.SEEN == {"x": 1}
    assert len(system.run_ids()) == 2


async def test_the_cause_of_every_message_is_known():
    system = System([FLOW])
    await system.start(ce_id="e1")
    envelopes = [decode(one) for one in sent(system, "compose", "generate", "act")]
    known = {one.id for one in envelopes} | {"e1"}
    assert {one.cause for one in envelopes} <= known
