"""The log tells every run's start and end once, in its own trace, whoever came to its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.delivery import crashpoints
from shared.domain.records import RunRecord
from shared.domain.trace import parse_traceparent
from shared.errors import ModelRefusedError, StaleError
from shared.ports import Update, Write
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.pipeline import Crash
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

CHAIN = "a: {call: test.count, with: {name: a}}\nb: {needs: a, prompt: say, with: {text: hi}}"
JOINED = """
    a: {call: test.count, with: {name: a}}
    b: {call: test.count, with: {name: b}}
"""
SKIPPED = "a: {when: 'false', action: log.write, with: {message: m}}"
LATE = "a: {when: 'false', needs: b, action: log.write, with: {message: m}}"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def told(system: System, kind: str) -> list[dict[str, Any]]:
    """Fields of the lines of a kind, in order."""
    return [fields for _, _, fields in system.world.telemetry.lines if fields.get("kind") == kind]


def require_told_once(system: System) -> None:
    """Each stored run has one start and, where it has ended, one end with all that is known."""
    runs = system.stored("runs", RunRecord)
    started = {line["labels"]["run_id"]: line for line in told(system, "run_started")}
    ended = {line["labels"]["run_id"]: line for line in told(system, "run_ended")}
    assert len(told(system, "run_started")) == len(runs) == len(started)
    assert len(told(system, "run_ended")) == len(ended)
    assert ended.keys() == {run.run_id for run in runs if run.status.is_final}
    for run in runs:
        about = {
            "run_id": run.run_id,
            "flow": run.flow,
            "flow_version": run.flow_version,
            "correlation_id": run.correlation_id,
            "event_id": run.event_id,
        }
        trace = parse_traceparent(run.traceparent)
        assert started[run.run_id]["trace_id"] == trace.trace_id
        assert started[run.run_id]["labels"] == {**about, "event_type": run.event_type}
        if run.status.is_final:
            end = ended[run.run_id]
            assert end["trace_id"] == trace.trace_id
            assert end["labels"] == {**about, "status": run.status}
            assert end["status"] == run.status
            took = (run.finished_at - run.created_at).total_seconds() * 1000
            assert end["duration_ms"] == took
            error = {"code": run.error.code, "message": run.error.message} if run.error else None
            assert end["error"] == error


async def ending_of(system: System) -> str:
    await system.start({"n": 1}, traceparent=TRACE)
    require_told_once(system)
    [line] = told(system, "run_ended")
    return line["error"]["code"] if line["error"] else line["status"]


@pytest.mark.parametrize(
    ("steps", "more", "ending"),
    [
        (CHAIN, "", "succeeded"),
        (JOINED, "", "succeeded"),
        (SKIPPED, "", "succeeded"),
        (f"b: {{call: test.count, with: {{name: b}}}}\n{LATE}", "", "succeeded"),
        (SKIPPED, "outputs: {x: '{{ event.data.nothing }}'}", "Expression"),
        (CHAIN, "outputs: {x: '{{ event.data.nothing }}'}", "Expression"),
        (JOINED, "outputs: {x: '{{ event.data.nothing }}'}", "Expression"),
        (CHAIN, "input: {type: array}", "InputInvalid"),
        ("a: {call: test.missing}", "", "ActionInvalid"),
        ("a: {when: event.data.x.y, action: log.write, with: {message: m}}", "", "Expression"),
        ("a: {prompt: say, with: {text: '{{ event.data.nothing }}'}}", "", "Expression"),
    ],
)
async def test_every_kind_of_end_is_told(steps: str, more: str, ending: str):
    assert await ending_of(System([flow(steps, more=more)])) == ending


async def test_the_end_of_a_model_that_refuses_is_told():
    model = ScriptedModel(default=ModelRefusedError("SAFETY"))
    assert await ending_of(System([flow(CHAIN)], model=model)) == "ModelRefused"


async def test_a_run_given_up_by_the_broker_is_told_of():
    assert await ending_of(System([flow("a: {call: test.busy}")])) == "DeliveriesExhausted"


async def test_a_run_that_times_out_is_told_of_in_its_own_trace():
    system = System([flow(CHAIN, more="timeout: 1m")])
    await system.publish(EVENT, traceparent=TRACE)
    await system.pipeline.step("route")
    system.world.clock.advance(timedelta(minutes=2))
    await system.send("sweep", b"", {})
    await system.pipeline.step("sweep")
    require_told_once(system)
    [line] = told(system, "run_ended")
    assert line["error"]["code"] == "RunTimeout"
    assert line["trace_id"] == TRACE.split("-")[1]


async def test_each_of_an_events_runs_is_told_of():
    system = System([flow(CHAIN, name="one"), flow(JOINED, name="two"), flow(SKIPPED, name="no")])
    await system.start()
    require_told_once(system)
    assert len(told(system, "run_ended")) == 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("steps", [CHAIN, JOINED, SKIPPED])
async def test_duplicates_are_not_told_of_again(steps: str, seed: int):
    system = System([flow(steps)], seed=seed)
    for _ in range(5):
        await system.publish(EVENT, ce_id="e1", ce_source="/shop")
    await system.run()
    for topic, _, message in list(system.world.messages.published):
        if topic != "events":
            await system.send(topic, message.data, message.attributes)
    await system.run()
    require_told_once(system)


@pytest.mark.parametrize("point", ["committed", "emitted"])
@pytest.mark.parametrize("steps", [CHAIN, JOINED, SKIPPED])
async def test_a_delivery_that_is_cut_down_and_repeated_is_told_of_once(steps: str, point: str):
    def die(reached: str) -> None:
        if reached == point:
            crashpoints.arm(None)
            raise Crash

    system = System([flow(steps)])
    await system.publish(EVENT, ce_id="e1")
    for _ in range(3):
        crashpoints.arm(die)
        try:
            await system.pipeline.step()
        finally:
            crashpoints.arm(None)
    await system.run()
    assert system.pipeline.cut_down
    require_told_once(system)


class Deaf:
    """A store whose client sends a commit twice: the first answer was lost."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.get, self.get_many, self.find = store.get, store.get_many, store.find

    async def commit(self, writes: list[Write]) -> list[Any]:
        done = await self._store.commit(writes)
        if any(isinstance(write, Update) and write.path.count("/") == 1 for write in writes):
            raise StaleError
        return done


async def test_an_end_whose_answer_was_lost_is_told_where_it_can_be_known():
    system = System([flow("a: {call: test.count, with: {name: a}}")], store=Deaf)
    await system.start()
    require_told_once(system)


async def test_a_redriven_run_ends_once_more_and_does_not_start_again():
    calls.BROKEN.add("b")
    system = System([flow("b: {call: test.count, with: {name: b}}")])
    await system.start(traceparent=TRACE)
    require_told_once(system)
    calls.BROKEN.clear()
    system.world.clock.advance(timedelta(hours=1))
    await system.redrive()
    assert len(told(system, "run_started")) == 1
    failed, succeeded = told(system, "run_ended")
    assert (failed["status"], succeeded["status"]) == ("failed", "succeeded")
    assert succeeded["duration_ms"] > 3_600_000  # since its first beginning
    assert succeeded["trace_id"] == TRACE.split("-")[1]


async def test_a_refused_run_that_is_opened_after_all_does_not_start_again():
    system = System([flow(CHAIN, more="input: {type: array}")])
    await system.start({})
    system.deploy(flow(CHAIN))
    await system.redrive()
    assert len(told(system, "run_started")) == 1
    assert [line["status"] for line in told(system, "run_ended")] == ["failed", "succeeded"]


async def test_a_run_of_an_older_deployment_ends_without_a_duration():
    system = System([flow("a: {action: log.write, with: {message: m}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [waiting] = system.pipeline.collect()
    system.pipeline.take(waiting)
    older = waiting.message.data.replace(b'"started_at"', b'"unknown"')
    await system.send("act", older, waiting.message.attributes)
    await system.run()
    [line] = told(system, "run_ended")
    assert (line["status"], line["duration_ms"]) == ("succeeded", None)


async def test_a_dead_letter_is_told_of_with_what_it_is_about():
    system = System([flow("a: {call: test.missing}")])
    await system.start(traceparent=TRACE)
    letter = system.letter()
    [line] = told(system, "dead_letter")
    assert line["labels"] == {
        "stage": "act",
        "flow": "thing",
        "step": "a",
        "run_id": letter.run_id,
        "correlation_id": letter.correlation_id,
        "dead_letter": letter.letter_id,
        "code": "ActionInvalid",
    }
    assert line["error"] == {"code": "ActionInvalid", "message": letter.error.message}
    assert line["trace_id"] == TRACE.split("-")[1]


async def test_every_line_of_a_story_is_in_its_trace():
    steps = f"{CHAIN}\nc: {{needs: b, action: log.write, with: {{message: m}}}}"
    system = System([flow(steps), flow("x: {call: test.missing}", name="bad")])
    await system.start(correlationid="order-7", traceparent=TRACE)
    telemetry = system.world.telemetry
    kinds = {fields.get("kind", "log") for _, _, fields in telemetry.lines}
    assert kinds == {"run_started", "run_ended", "dead_letter", "log"}
    for about in [fields for _, _, fields in telemetry.lines]:
        assert about["trace_id"] == TRACE.split("-")[1]
        assert about["labels"]["correlation_id"] == "order-7"
    for report in telemetry.reports:
        assert report.trace_id == TRACE.split("-")[1]
        assert report.labels["correlation_id"] == "order-7"


async def test_reports_of_steps_are_labelled_with_version_event_and_prompt():
    version = flow(CHAIN)
    system = System([version])
    await system.start(ce_id="e1")
    prompt = version.prompt("b")
    for report in system.world.telemetry.reports:
        assert report.labels["flow_version"] == version.version
        assert report.labels["event_id"] == "e1"
        if report.stage in {"compose", "generate"}:
            assert report.labels["prompt"] == "say"
            assert report.labels["prompt_version"] == prompt.version
