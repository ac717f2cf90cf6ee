"""Spans on the wire: a whole run is one tree, and no collector keeps a message from its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio
from starlette.requests import Request

import functions.route.handler
from emulator.ports import free_port
from shared.adapters.otlp_collector import OtlpCollector
from shared.adapters.span_telemetry import SpanTelemetry
from shared.adapters.spans import Source, SpanBuilder
from shared.errors import ModelUnreachableError
from shared.runtime import entry
from shared.testing.memory import RecordingTelemetry, ScriptedModel
from tests.functional.system import System, echoing, flow
from tests.otlp_receiver import Receiver, receiving, root_of

SECRET = "the customer's words"
FLOW = flow("""
    a: {prompt: say, with: {text: "{{ event.data }}"}}
    b: {prompt: say, with: {text: hi}}
    c: {needs: [a, b], prompt: say, with: {text: "{{ a.text }}"}}
    d: {needs: c, action: log.write, with: {message: "{{ c.text }}"}}
""")
SENDER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CLIENT, CONSUMER = 3, 5

Make = Callable[..., SpanTelemetry]


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest_asyncio.fixture(loop_scope="session")
async def make() -> AsyncIterator[Make]:
    """A telemetry with a collector at an address; its lines go to a recording one."""
    collectors: list[OtlpCollector] = []

    def made(
        url: str, *, stage: str = "route", share: float = 1.0, seconds: float = 30.0
    ) -> SpanTelemetry:
        collectors.append(OtlpCollector(f"{url}/v1/traces", seconds=seconds))
        builder = SpanBuilder(Source(f"segue-{stage}", "p", f"segue-{stage}"), share=share)
        return SpanTelemetry(RecordingTelemetry(), builder, collectors[-1], patience=seconds)

    yield made
    for collector in collectors:
        collector.close()


async def told(system: System, make: Make, url: str, *, share: float = 1.0) -> None:
    """Every stage tells the collector what it has reported, in a flush for each report."""
    stages = {one.stage for one in system.world.telemetry.reports}
    telemetries = {stage: make(url, stage=stage, share=share) for stage in stages}
    for report in system.world.telemetry.reports:
        telemetries[report.stage].report(report)
        await telemetries[report.stage].flush()


async def test_a_run_is_one_tree_with_its_model_calls(receiver: Receiver, make: Make) -> None:
    model = ScriptedModel({"say": [ModelUnreachableError(SECRET), "fine"]}, default=echoing)
    system = System([FLOW], model=model)
    await system.start(SECRET, traceparent=SENDER)
    await told(system, make, receiver.url)

    root = root_of(receiver.spans)
    assert (root.name, root.trace) == ("route thing", SENDER.split("-")[1])
    assert root.parent == SENDER.split("-")[2]
    attempts = [span for span in receiver.spans if span.kind == CONSUMER]
    calls = [span for span in receiver.spans if span.kind == CLIENT]
    assert len(attempts) + len(calls) == len(receiver.spans)
    assert len(attempts) == len(system.world.telemetry.reports)
    assert len(calls) == 4  # three steps, one of them asked twice
    by_id = {span.id: span for span in attempts}
    for call in calls:
        assert call.name == "generate_content gemini-2.5-flash"
        assert by_id[call.parent].attributes["segue.stage"] == "generate"
    failed = [span for span in receiver.spans if span.error]
    assert {(span.kind, span.error) for span in failed} == {
        (CONSUMER, "ModelUnreachable"),
        (CLIENT, "ModelUnreachable"),
    }
    names = {span.resource["service.name"] for span in receiver.spans}
    assert names == {"segue-route", "segue-compose", "segue-generate", "segue-act"}
    assert {span.resource["gcp.project_id"] for span in receiver.spans} == {"p"}


async def test_no_words_of_events_prompts_answers_or_errors_leave(
    receiver: Receiver, make: Make
) -> None:
    answers = [ModelUnreachableError(SECRET), SECRET]
    system = System([FLOW], model=ScriptedModel({"say": answers}, default=echoing))
    await system.start({"text": SECRET})
    await told(system, make, receiver.url)
    assert len(receiver.spans) > 10
    assert SECRET.encode() not in b"".join(receiver.bodies)


@pytest.mark.parametrize("share", [0.0, 0.5])
async def test_a_trace_is_exported_by_all_stages_or_by_none(
    receiver: Receiver, make: Make, share: float
) -> None:
    kept = 0
    for number in range(12):
        system = System([FLOW])
        await system.start(ce_id=f"e{number}")
        await told(system, make, receiver.url, share=share)
        [trace] = {one.trace_id for one in system.world.telemetry.reports}
        found = [span for span in receiver.spans if span.trace == trace]
        if found:
            assert root_of(found).name == "route thing"
            attempts = [span for span in found if span.kind == CONSUMER]
            assert len(attempts) == len(system.world.telemetry.reports)
            kept += 1
    assert kept == 0 if share == 0 else 0 < kept < 12


# -- a stage in front of it ---------------------------------------------------------------------


async def handled(telemetry: SpanTelemetry, monkeypatch: pytest.MonkeyPatch) -> int:
    """The status that a stage answers a good push request with."""
    system = System([FLOW])
    await system.publish("thing.happened")
    [waiting] = system.pipeline.collect()
    body = system.pipeline._body(waiting)
    deps = replace(system.pipeline.deps("route"), telemetry=telemetry)
    monkeypatch.setattr(entry, "deps_of", lambda _stage: deps)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    response = await entry.server("route", functions.route.handler.handle)(request)
    return response.status_code


def warnings_of(telemetry: SpanTelemetry) -> list[str]:
    inner = telemetry._inner
    assert isinstance(inner, RecordingTelemetry)
    return [message for severity, message, _ in inner.lines if severity == "WARNING"]


async def test_spans_are_out_before_the_answer(
    receiver: Receiver, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = make(receiver.url)
    assert await handled(telemetry, monkeypatch) == 204
    assert [span.name for span in receiver.spans] == ["route thing"]
    assert warnings_of(telemetry) == []


@pytest.mark.parametrize(
    ("status", "lost"), [(500, 0), (503, 0), (429, 0), (400, 1), (403, 1), (302, 1)]
)
async def test_a_collector_that_refuses_costs_no_message(
    receiver: Receiver, make: Make, monkeypatch: pytest.MonkeyPatch, status: int, lost: int
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer s3cret")
    receiver.status = status
    telemetry = make(receiver.url, seconds=0.5)
    assert await handled(telemetry, monkeypatch) == 204
    assert receiver.headers[0]["authorization"] == "Bearer s3cret"
    assert warnings_of(telemetry) == [
        f"spans were not exported to 127.0.0.1: it answered {status}; {lost} spans are lost"
    ]


async def test_a_collector_that_is_down_costs_no_message(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = make(f"http://127.0.0.1:{free_port()}", seconds=0.5)
    assert await handled(telemetry, monkeypatch) == 204
    assert warnings_of(telemetry) == [
        "spans were not exported to 127.0.0.1: no answer; 0 spans are lost"
    ]


async def test_a_collector_that_hangs_costs_no_message(
    receiver: Receiver, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.gate.clear()
    telemetry = make(receiver.url, seconds=0.2)
    assert await handled(telemetry, monkeypatch) == 204
    [warning] = warnings_of(telemetry)
    assert warning.startswith("spans were not exported to 127.0.0.1: no answer")
    if telemetry._sending is not None:
        await telemetry._sending  # its thread gives up too


async def test_a_collector_that_takes_some_of_them_says_how_many_not(
    receiver: Receiver, make: Make
) -> None:
    receiver.refused = 1
    system = System([FLOW])
    await system.start()
    telemetry = make(receiver.url)
    for report in system.world.telemetry.reports:
        telemetry.report(report)
    await telemetry.flush()
    [warning] = warnings_of(telemetry)
    assert f"it refused 1 of {len(receiver.spans)}; 1 spans are lost" in warning


async def test_an_answer_in_words_is_an_answer(receiver: Receiver, make: Make) -> None:
    receiver.spoken = "ok, thank you"
    system = System([FLOW])
    await system.start()
    telemetry = make(receiver.url)
    telemetry.report(system.world.telemetry.reports[0])
    await telemetry.flush()
    assert len(receiver.spans) == 1
    assert warnings_of(telemetry) == []
