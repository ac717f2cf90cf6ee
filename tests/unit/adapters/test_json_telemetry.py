"""Log lines as Cloud Logging reads them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.json_telemetry import JsonTelemetry
from shared.domain.records import Failure, Tokens, Usage
from shared.ports import StageReport

REPORT = StageReport(
    stage="generate",
    disposition="ack",
    outcome="succeeded",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    parent_span_id="00f067aa0ba902b7",
    started_at=datetime(2026, 7, 1, 12, 0, tzinfo=UTC),
    duration_ms=812.3456,
    labels={
        "correlation_id": "c-1",
        "run_id": "support-reply-1",
        "flow": "support-reply",
        "step": "draft",
    },
    message_id="42",
    attempt=2,
    usage=Usage(llm_calls=1, tokens=Tokens(input=30, output=7), cost_usd=0.0001),
    request_trace="projects/p/traces/other",
    details={"model": "gemini-test", "prompt": "support/draft"},
)


def written(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def reported(report: StageReport) -> dict[str, Any]:
    stream = io.StringIO()
    JsonTelemetry("p", stream).report(report)
    return written(stream)


def test_a_report_is_one_line_with_everything_in_it() -> None:
    assert reported(REPORT) == {
        "severity": "INFO",
        "message": "generate succeeded: support-reply/draft in 812 ms",
        "time": "2026-07-01T12:00:00.812346Z",
        "logging.googleapis.com/trace": "projects/p/traces/0af7651916cd43dd8448eb211c80319c",
        "logging.googleapis.com/spanId": "b7ad6b7169203331",
        "logging.googleapis.com/trace_sampled": True,
        "logging.googleapis.com/labels": {"stage": "generate", **REPORT.labels},
        "stage": "generate",
        "outcome": "succeeded",
        "disposition": "ack",
        "started_at": "2026-07-01T12:00:00.000000Z",
        "duration_ms": 812.346,
        "parent_span_id": "00f067aa0ba902b7",
        "message_id": "42",
        "delivery_attempt": 2,
        "request_trace": "projects/p/traces/other",
        "gen_ai.request.model": "gemini-test",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 7,
        "llm_calls": 1,
        "cost_usd": 0.0001,
        "details": {"model": "gemini-test", "prompt": "support/draft"},
    }


@pytest.mark.parametrize(
    ("disposition", "outcome", "severity"),
    [
        ("ack", "succeeded", "INFO"),
        ("nack", "retry", "WARNING"),
        ("nack", "crashed", "ERROR"),
        ("bury", "failed", "ERROR"),
    ],
)
def test_severity_tells_whether_a_person_is_needed(
    disposition: Any, outcome: str, severity: str
) -> None:
    assert reported(replace(REPORT, disposition=disposition, outcome=outcome))["severity"] == (
        severity
    )


def test_a_failure_is_in_the_sentence_and_in_fields() -> None:
    failure = Failure(code="ModelBusy", message="429 all day")
    line = reported(replace(REPORT, disposition="nack", outcome="retry", error=failure))
    assert line["message"] == (
        "generate retry: support-reply/draft in 812 ms: ModelBusy: 429 all day"
    )
    assert line["error"] == {"code": "ModelBusy", "message": "429 all day"}


def test_a_message_that_could_not_be_read_is_named_by_its_id() -> None:
    line = reported(replace(REPORT, stage="bury", labels={}, usage=None, attempt=None))
    assert line["message"] == "bury succeeded: message 42 in 812 ms"
    assert "delivery_attempt" not in line
    assert "llm_calls" not in line


def test_a_stack_trace_is_where_error_reporting_looks() -> None:
    line = reported(replace(REPORT, outcome="crashed", details={"stack_trace": "Traceback …"}))
    assert line["stack_trace"] == "Traceback …"
    assert "details" not in line


def test_an_own_line_has_trace_labels_and_fields() -> None:
    stream = io.StringIO()
    telemetry = JsonTelemetry("p", stream, now=lambda: REPORT.started_at)
    telemetry.log("NOTICE", "paid ü", trace_id="t1", labels={"flow": "f"}, fields={"n": 1}, a="b")
    assert written(stream) == {
        "severity": "NOTICE",
        "message": "paid ü",
        "time": "2026-07-01T12:00:00.000000Z",
        "logging.googleapis.com/trace": "projects/p/traces/t1",
        "logging.googleapis.com/trace_sampled": True,
        "logging.googleapis.com/labels": {"flow": "f"},
        "fields": {"n": 1},
        "a": "b",
    }


def test_a_field_cannot_replace_severity_or_message() -> None:
    stream = io.StringIO()
    JsonTelemetry("p", stream).log("INFO", "said", time="never")
    line = written(stream)
    assert (line["severity"], line["message"]) == ("INFO", "said")
    assert line["time"] != "never"


def test_a_line_with_line_breaks_or_half_characters_is_one_line() -> None:
    stream = io.StringIO()
    JsonTelemetry("p", stream).log("INFO", "a\nb\u2028c \ud800")
    assert written(stream)["message"] == "a\nb\u2028c \ud800"


@pytest.mark.parametrize("value", [object(), {("a", "b"): 1}, float("nan")])
def test_what_is_no_json_does_not_raise(value: Any) -> None:
    stream = io.StringIO()
    JsonTelemetry("p", stream).log("ERROR", "odd", value=value)
    assert written(stream)["message"] == "odd"


def test_what_contains_itself_does_not_raise() -> None:
    stream = io.StringIO()
    endless: list[Any] = []
    endless.append(endless)
    JsonTelemetry("p", stream).log("ERROR", "odd", value=endless)
    line = written(stream)
    assert (line["severity"], line["message"]) == ("ERROR", "odd")


def test_a_closed_stream_does_not_raise() -> None:
    stream = io.StringIO()
    stream.close()
    JsonTelemetry("p", stream).log("INFO", "nobody reads this")


def test_a_line_is_written_in_one_piece() -> None:
    pieces: list[str] = []

    class Recorder(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    JsonTelemetry("p", Recorder()).report(REPORT)
    assert len(pieces) == 1
    assert pieces[0].endswith("\n")
