"""Log lines as Cloud Logging reads them."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.json_telemetry import JsonTelemetry
from shared.domain.origin import Origin, in_hand
from shared.domain.records import Failure, Tokens, Usage
from shared.ports import ModelCall, ModelReply, StageReport

BEGAN = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
REPORT = StageReport(
    stage="generate",
    disposition="ack",
    outcome="succeeded",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    parent_span_id="00f067aa0ba902b7",
    started_at=BEGAN,
    duration_ms=812.3456,
    labels={
        "correlation_id": "c-1",
        "run_id": "support-reply-1",
        "flow": "support-reply",
        "step": "draft",
    },
    message_id="42",
    attempt=2,
    usage=Usage(llm_calls=2, tokens=Tokens(input=30, output=7), cost_usd=0.0001),
    calls=(
        ModelCall(
            "gemini-test",
            BEGAN,
            300.0,
            ModelReply("a secret", Tokens(input=10, output=3), "gemini-test-001", "stop"),
            provider="gcp.vertex_ai",
        ),
        ModelCall(
            "gemini-test",
            BEGAN,
            500.0,
            ModelReply("{}", Tokens(input=20, output=4), "gemini-test-001", "max_tokens"),
            Failure(code="ModelTruncated", message="cut off"),
            "gcp.vertex_ai",
        ),
    ),
    request_trace="105445aa7843bc8bf206b12000100000",
    details={"runs": ["r1"]},
)


def written(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)  # NaN is no JSON
    return found


def reported(report: StageReport) -> dict[str, Any]:
    stream = io.StringIO()
    JsonTelemetry("p", stream).report(report)
    return written(stream)


def test_a_report_is_one_line_with_everything_in_it() -> None:
    assert reported(REPORT) == {
        "severity": "INFO",
        "message": "generate succeeded: support-reply/draft in 812 ms",
        "kind": "stage_attempt",
        "time": "2026-07-01T12:00:00.812346Z",
        "logging.googleapis.com/trace": "projects/p/traces/0af7651916cd43dd8448eb211c80319c",
        "logging.googleapis.com/spanId": "b7ad6b7169203331",
        "logging.googleapis.com/trace_sampled": False,
        "logging.googleapis.com/labels": {"stage": "generate", **REPORT.labels},
        "stage": "generate",
        "outcome": "succeeded",
        "disposition": "ack",
        "started_at": "2026-07-01T12:00:00.000000Z",
        "duration_ms": 812.346,
        "parent_span_id": "00f067aa0ba902b7",
        "message_id": "42",
        "delivery_attempt": 2,
        "request_trace": "105445aa7843bc8bf206b12000100000",
        "llm_calls": 2,
        "repair_turns": 1,
        "cost_usd": 0.0001,
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.vertex_ai",
        "gen_ai.request.model": "gemini-test",
        "gen_ai.response.model": "gemini-test-001",
        "gen_ai.response.finish_reasons": ["stop", "max_tokens"],
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 7,
        "details": {"runs": ["r1"]},
    }


def test_a_call_without_an_answer_is_told_of_as_far_as_it_got() -> None:
    lost = ModelCall("gemini-test", BEGAN, 1.0, error=Failure(code="Cancelled", message="late"))
    line = reported(replace(REPORT, calls=(lost,), usage=Usage(llm_calls=1)))
    assert (line["llm_calls"], line["repair_turns"], line["cost_usd"]) == (1, 0, 0.0)
    assert line["gen_ai.request.model"] == "gemini-test"
    assert {"gen_ai.response.model", "gen_ai.response.finish_reasons"}.isdisjoint(line)


def test_an_attempt_that_asked_no_model_says_nothing_of_one() -> None:
    line = reported(replace(REPORT, calls=(), usage=Usage()))
    assert not any(name.startswith("gen_ai.") for name in line)
    assert {"llm_calls", "repair_turns", "cost_usd"}.isdisjoint(line)


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
    line = reported(replace(REPORT, stage="bury", labels={}, attempt=None))
    assert line["message"] == "bury succeeded: message 42 in 812 ms"
    assert "delivery_attempt" not in line


def test_a_request_that_brought_no_message_is_called_one() -> None:
    line = reported(replace(REPORT, stage="ingest", outcome="refused", labels={}, message_id=""))
    assert line["message"] == "ingest refused: a request in 812 ms"
    assert "message_id" not in line


def test_a_stack_trace_is_where_error_reporting_looks() -> None:
    line = reported(replace(REPORT, outcome="crashed", details={"stack_trace": "Traceback …"}))
    assert line["stack_trace"] == "Traceback …"
    assert "details" not in line


@pytest.mark.parametrize(("share", "stored"), [(0, False), (0.4, False), (0.6, True), (1, True)])
def test_a_line_says_whether_its_trace_is_stored(share: float, *, stored: bool) -> None:
    stream = io.StringIO()
    half = replace(REPORT, trace_id="0" * 16 + "8" + "0" * 15)
    JsonTelemetry("p", stream, spans=share).report(half)
    assert written(stream)["logging.googleapis.com/trace_sampled"] is stored


def test_an_own_line_has_trace_labels_and_fields() -> None:
    stream = io.StringIO()
    telemetry = JsonTelemetry("p", stream, now=lambda: REPORT.started_at)
    telemetry.log("NOTICE", "paid ü", trace_id="t1", labels={"flow": "f"}, fields={"n": 1}, a="b")
    assert written(stream) == {
        "severity": "NOTICE",
        "message": "paid ü",
        "kind": "log",
        "time": "2026-07-01T12:00:00.000000Z",
        "logging.googleapis.com/trace": "projects/p/traces/t1",
        "logging.googleapis.com/trace_sampled": False,
        "logging.googleapis.com/labels": {"flow": "f"},
        "fields": {"n": 1},
        "a": "b",
    }


MESSAGE = Origin({"stage": "act", "run_id": "r1"}, "t" * 32, "5" * 16, "q" * 32)


def test_a_line_comes_from_the_message_in_hand() -> None:
    stream = io.StringIO()
    with in_hand(lambda: MESSAGE):
        JsonTelemetry("p", stream).log("INFO", "said")
    line = written(stream)
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{'t' * 32}"
    assert line["logging.googleapis.com/spanId"] == "5" * 16
    assert line["logging.googleapis.com/labels"] == {"stage": "act", "run_id": "r1"}
    assert line["request_trace"] == "q" * 32


def test_a_line_about_another_trace_has_no_span_of_this_one() -> None:
    stream = io.StringIO()
    with in_hand(lambda: MESSAGE):
        labels = {"run_id": "r2"}
        telemetry = JsonTelemetry("p", stream)
        telemetry.log("INFO", "ended", trace_id="u" * 32, kind="run_ended", labels=labels)
    line = written(stream)
    assert line["kind"] == "run_ended"
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{'u' * 32}"
    assert "logging.googleapis.com/spanId" not in line
    assert line["logging.googleapis.com/labels"] == labels
    assert line["request_trace"] == "q" * 32


async def test_lines_of_threads_do_not_mix(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stream:
        telemetry = JsonTelemetry("p", stream)

        def say(name: int) -> None:
            for size in range(100):
                telemetry.log("INFO", str(name) * size * 20)

        await asyncio.gather(*(asyncio.to_thread(say, name) for name in range(4)))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 400
    assert all(len(set(line["message"])) <= 1 for line in lines)


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


class Mute:
    """Cannot even say what it is."""

    def __repr__(self) -> str:
        raise LookupError


@pytest.mark.parametrize("value", [object(), {("a", "b"): 1}, float("nan"), [Mute()]])
def test_what_is_no_json_does_not_raise(value: Any) -> None:
    stream = io.StringIO()
    JsonTelemetry("p", stream).log("ERROR", "odd", trace_id="t", value=value, other=[1])
    line = written(stream)
    told = (line["severity"], line["message"], line["kind"], line["other"])
    assert told == ("ERROR", "odd", "log", [1])
    assert line["logging.googleapis.com/trace"] == "projects/p/traces/t"


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


def test_a_line_is_never_longer_than_cloud_logging_takes() -> None:
    stream = io.StringIO()
    telemetry = JsonTelemetry("p", stream)
    telemetry.log("INFO", "\x00" * 300_000, trace_id="t1", fields={"big": "x" * 900_000}, small=1)
    line = written(stream)
    assert len(stream.getvalue()) < 256 * 1024
    assert line["message"].endswith("\x00…")
    assert line["fields"].startswith("left out: 900,0")
    assert (line["severity"], line["small"]) == ("INFO", 1)
    assert line["logging.googleapis.com/trace"] == "projects/p/traces/t1"
