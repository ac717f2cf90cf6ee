"""Spans of a report: the same ids as in the log, the names of the conventions, nobody's words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from shared.adapters.spans import Source, SpanBuilder
from shared.domain.records import Failure, Tokens, Usage
from shared.domain.trace import sampled
from shared.ports import ModelCall, ModelReply, StageReport

SECRET = "the customer's words"
START = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
CALL = ModelCall(
    asked="gemini-2.5-flash",
    started_at=START + timedelta(milliseconds=10),
    duration_ms=700.0,
    reply=ModelReply(SECRET, Tokens(input=30, output=7, cached=5), "gemini-2.5-flash-001", "STOP"),
    provider="gcp.vertex_ai",
)
REPORT = StageReport(
    stage="generate",
    disposition="ack",
    outcome="succeeded",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    parent_span_id="00f067aa0ba902b7",
    started_at=START,
    duration_ms=812.5,
    labels={
        "stage": "generate",
        "flow": "support-reply",
        "flow_version": "v1",
        "run_id": "support-reply-1",
        "correlation_id": "c-1",
        "event_id": "e-1",
        "event_type": "support.ticket.created",
        "step": "draft",
        "prompt": "support/draft",
        "prompt_version": "abc",
        "unknown": SECRET,
    },
    message_id="42",
    attempt=2,
    usage=Usage(llm_calls=1, tokens=Tokens(input=30, output=7), cost_usd=0.0001),
    calls=(CALL,),
    request_trace="105445aa7843bc8bf206b12000100000",
    details={"anything": SECRET},
)
SOURCE = Source("segue-generate", "p", "segue-generate")
FAILED = Failure(code="OutputInvalid", message=SECRET)


def built(report: StageReport, **source: Any) -> list[ReadableSpan]:
    return SpanBuilder(replace(SOURCE, **source)).spans_of(report)


def test_an_attempt_is_a_span_with_the_ids_and_times_of_its_log_line() -> None:
    [span, _] = built(REPORT)
    assert (span.name, span.kind) == ("generate support-reply/draft", SpanKind.CONSUMER)
    assert f"{span.context.trace_id:032x}" == REPORT.trace_id
    assert f"{span.context.span_id:016x}" == REPORT.span_id
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == REPORT.parent_span_id
    assert span.start_time == 1782907200_123456_000
    assert span.end_time == 1782907200_935956_000
    assert span.status.status_code is StatusCode.UNSET


def test_an_attempt_says_what_was_done_to_which_message() -> None:
    [span, _] = built(REPORT)
    assert dict(span.attributes or {}) == {
        "faas.trigger": "pubsub",
        "messaging.system": "gcp_pubsub",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "segue-generate",
        "messaging.message.id": "42",
        "messaging.message.conversation_id": "c-1",
        "messaging.gcp_pubsub.message.delivery_attempt": 2,
        "segue.stage": "generate",
        "segue.outcome": "succeeded",
        "segue.disposition": "ack",
        "segue.flow": "support-reply",
        "segue.flow_version": "v1",
        "segue.run_id": "support-reply-1",
        "segue.correlation_id": "c-1",
        "segue.event_id": "e-1",
        "segue.event_type": "support.ticket.created",
        "segue.step": "draft",
        "segue.prompt": "support/draft",
        "segue.prompt_version": "abc",
        "segue.llm_calls": 1,
        "segue.cost_usd": 0.0001,
        "segue.request_trace": "105445aa7843bc8bf206b12000100000",
    }


def test_a_model_call_is_a_span_below_its_attempt() -> None:
    [attempt, call] = built(REPORT)
    assert (call.name, call.kind) == ("generate_content gemini-2.5-flash", SpanKind.CLIENT)
    assert call.parent is not None
    assert call.parent.span_id == attempt.context.span_id
    assert call.context.trace_id == attempt.context.trace_id
    assert (call.start_time, call.end_time) == (1782907200_133456_000, 1782907200_833456_000)
    assert dict(call.attributes or {}) == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.vertex_ai",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.response.model": "gemini-2.5-flash-001",
        "gen_ai.response.finish_reasons": ("STOP",),
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.prompt.name": "support/draft",
        "gen_ai.prompt.version": "abc",
    }


def test_spans_name_who_speaks_in_an_agent_with_personas() -> None:
    [attempt, call] = built(replace(REPORT, labels={**REPORT.labels, "speaker": "billing"}))
    assert (attempt.attributes or {})["segue.speaker"] == "billing"
    assert (call.attributes or {})["gen_ai.agent.name"] == "billing"


def test_every_call_has_an_id_of_its_own_and_always_the_same() -> None:
    report = replace(REPORT, calls=(CALL, CALL, CALL))
    ids = [span.context.span_id for span in built(report)]
    assert len(set(ids)) == 4
    assert ids == [span.context.span_id for span in built(report)]


def test_an_error_is_told_by_its_code_alone() -> None:
    unanswered = replace(CALL, reply=None, error=Failure(code="ModelBusy", message=SECRET))
    report = replace(REPORT, disposition="bury", error=FAILED, calls=(CALL, unanswered))
    [attempt, answered, failed] = built(report)
    assert answered.status.status_code is StatusCode.UNSET
    for span, code in ((attempt, "OutputInvalid"), (failed, "ModelBusy")):
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, code)
        assert (span.attributes or {})["error.type"] == code
        [event] = span.events
        assert (event.name, dict(event.attributes or {})) == ("exception", {"exception.type": code})


def test_no_words_of_events_prompts_answers_or_errors_leave() -> None:
    report = replace(REPORT, error=FAILED, calls=(replace(CALL, error=FAILED),))
    sent = encode_spans(built(report)).SerializeToString()
    assert b"support-reply" in sent
    assert SECRET.encode() not in sent


def test_what_is_not_known_is_left_out() -> None:
    bare = replace(
        REPORT,
        labels={},
        attempt=None,
        usage=None,
        calls=(ModelCall("m", START, 1.0),),
        request_trace=None,
        parent_span_id=None,
    )
    [attempt, call] = built(bare, topic=None)
    assert (attempt.name, attempt.parent) == ("generate", None)
    assert set(attempt.attributes or {}) == {
        "faas.trigger",
        "messaging.system",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.message.id",
        "segue.stage",
        "segue.outcome",
        "segue.disposition",
    }
    assert set(call.attributes or {}) == {"gen_ai.operation.name", "gen_ai.request.model"}


def test_ingest_serves_a_request_and_no_message() -> None:
    details = {"status": 202, "path": SECRET}
    [span] = built(replace(REPORT, stage="ingest", outcome="accepted", calls=(), details=details))
    attributes = dict(span.attributes or {})
    assert (span.kind, attributes["faas.trigger"]) == (SpanKind.SERVER, "http")
    assert attributes["http.response.status_code"] == 202
    assert SECRET not in attributes.values()
    assert not [name for name in attributes if name.startswith("messaging.")]


@pytest.mark.parametrize("stage", ["ingest", "console"])
def test_a_request_that_was_refused_is_no_span(stage: str) -> None:
    refused = replace(REPORT, stage=stage, disposition="nack", outcome="refused", error=FAILED)
    assert built(refused) == []


def test_texts_that_no_export_could_carry_are_made_fit() -> None:
    labels = {**REPORT.labels, "flow": "\ud800" * 5, "correlation_id": "x" * 100_000}
    [span, _] = built(replace(REPORT, labels=labels))
    assert span.name == "generate ?????/draft"
    assert len((span.attributes or {})["segue.correlation_id"]) == 1024  # type: ignore[arg-type]
    assert encode_spans([span]).SerializeToString()


def test_a_clock_set_back_ends_no_span_before_its_start() -> None:
    [span, _] = built(replace(REPORT, duration_ms=-5.0))
    assert span.end_time == span.start_time


def test_a_span_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    local = SOURCE.resource().attributes
    assert (local["service.name"], local["gcp.project_id"]) == ("segue-generate", "p")
    assert not [name for name in local if name.startswith(("cloud.", "faas."))]
    deployed = replace(SOURCE, service="segue-generate", revision="segue-generate-00007-abc")
    cloud = deployed.resource().attributes
    assert (cloud["faas.name"], cloud["faas.version"]) == ("segue-generate", deployed.revision)
    assert (cloud["cloud.provider"], cloud["cloud.account.id"]) == ("gcp", "p")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "gcp.project_id=other,cloud.region=europe-west1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pipeline")
    chosen = deployed.resource().attributes
    assert (chosen["service.name"], chosen["gcp.project_id"]) == ("pipeline", "other")
    assert chosen["cloud.region"] == "europe-west1"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999, 1.0])
def test_a_trace_is_sampled_as_opentelemetry_would(share: float) -> None:
    random, rule = Random(1), TraceIdRatioBased(share)
    edges = [int(share * 2**64) + offset for offset in (-1, 0, 1)]
    for number in [0, 2**128 - 1, *edges, *(random.getrandbits(128) for _ in range(500))]:
        trace = f"{number % 2**128:032x}"
        decision = rule.should_sample(None, int(trace, 16), "").decision
        assert sampled(trace, share) is (decision is Decision.RECORD_AND_SAMPLE)


def test_all_stages_agree_on_a_trace() -> None:
    builders = [
        SpanBuilder(Source(stage, "p"), share=0.3) for stage in ("segue-route", "segue-act")
    ]
    random = Random(2)
    kept = 0
    for _ in range(300):
        report = replace(REPORT, trace_id=f"{random.getrandbits(128):032x}")
        [first, second] = [len(builder.spans_of(report)) for builder in builders]
        assert first == second
        kept += first // 2
    assert 50 < kept < 130
