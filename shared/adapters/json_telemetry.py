"""Log lines as Cloud Logging reads them from standard output: one JSON object for each.

Decides a line's severity and sentence. Never raises: a message must not fail for its log line.
Source: https://cloud.google.com/logging/docs/structured-logging
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from shared.domain.origin import origin
from shared.domain.records import Usage
from shared.domain.trace import sampled
from shared.ports import StageReport

_SEVERITY = {"ack": "INFO", "nack": "WARNING", "bury": "ERROR"}
_CRASHED = "crashed"
_LOGGING = "logging.googleapis.com/"
# Error Reporting groups an entry by these only where they are at its top.
_TOP_LEVEL_DETAILS = ("stack_trace",)
# Cloud Logging takes entries of 256 KiB; one that is longer would be cut into pieces of no meaning.
_LONGEST = 200_000
_OPERATION = "generate_content"  # what asks a model; other calls only embed texts


class JsonTelemetry:
    """Implements `Telemetry`.

    Writes to the process's own standard output: the functions framework replaces `sys.stdout`
    with a stream that rewrites span ids. `spans` is the share of traces whose spans are exported:
    only of those a line may say that there is a trace to look at.
    """

    def __init__(
        self,
        project: str,
        stream: TextIO | None = None,
        *,
        spans: float = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._project = project
        self._spans = spans
        self._stream = stream if stream is not None else sys.__stdout__
        self._now = now

    def report(self, report: StageReport) -> None:
        details = dict(report.details)
        self._write(
            {
                "severity": severity_of(report),
                "message": sentence(report),
                "kind": "stage_attempt",
                "time": _rfc3339(report.started_at + timedelta(milliseconds=report.duration_ms)),
                **self._trace(report.trace_id),
                f"{_LOGGING}spanId": report.span_id,
                f"{_LOGGING}labels": {"stage": report.stage, **report.labels},
                "stage": report.stage,
                "outcome": report.outcome,
                "disposition": report.disposition,
                "started_at": _rfc3339(report.started_at),
                "duration_ms": round(report.duration_ms, 3),
                "parent_span_id": report.parent_span_id,
                "message_id": report.message_id or None,
                "delivery_attempt": report.attempt,
                "request_trace": report.request_trace,
                **_error(report),
                **_model_calls(report),
                **{name: details.pop(name) for name in _TOP_LEVEL_DETAILS if name in details},
                "details": details or None,
            }
        )

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None:
        """Labels and trace that are not given are those of the message in hand."""
        here = origin()
        given = fields.pop("labels", here.labels)
        labels = dict(given) if isinstance(given, Mapping) else {}
        trace = trace_id or here.trace_id
        self._write(
            {
                "kind": "log",
                **fields,
                "severity": severity,
                "message": message,
                "time": _rfc3339(self._now()),
                **(self._trace(trace) if trace else {}),
                # A span is one of its own trace only.
                f"{_LOGGING}spanId": here.span_id if trace == here.trace_id else None,
                f"{_LOGGING}labels": labels or None,
                "request_trace": here.request_trace,
            }
        )

    async def flush(self) -> None:
        """Every line is out when it is written."""

    def _trace(self, trace_id: str) -> dict[str, Any]:
        trace = f"projects/{self._project}/traces/{trace_id}"
        stored = self._spans > 0 and sampled(trace_id, self._spans)
        return {f"{_LOGGING}trace": trace, f"{_LOGGING}trace_sampled": stored}

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._stream is None:
            return
        said = {name: value for name, value in line.items() if value is not None}
        with contextlib.suppress(OSError, ValueError):  # a closed stream: nowhere left to say so
            # One write: lines of concurrent requests must not mix.
            self._stream.write(_json(said) + "\n")
            self._stream.flush()


def severity_of(report: StageReport) -> str:
    """INFO for what went well, WARNING for what is tried again, ERROR for what needs a person."""
    return "ERROR" if report.outcome == _CRASHED else _SEVERITY[report.disposition]


def sentence(report: StageReport) -> str:
    """One line for people: "generate succeeded: support-reply/draft in 812 ms"."""
    parts = [report.labels[name] for name in ("flow", "step") if report.labels.get(name)]
    message = f"message {report.message_id}" if report.message_id else "a request"
    what = "/".join(parts) or message
    why = f": {report.error.code}: {report.error.message}" if report.error else ""
    return f"{report.stage} {report.outcome}: {what} in {report.duration_ms:.0f} ms{why}"


def _error(report: StageReport) -> dict[str, Any]:
    if report.error is None:
        return {}
    return {"error": {"code": report.error.code, "message": report.error.message}}


def _model_calls(report: StageReport) -> dict[str, Any]:
    """What the attempt asked of a model, in the words of OpenTelemetry's conventions.

    The models are those of its last call and of its last answer. Nothing that was said is told.
    Source: https://github.com/open-telemetry/semantic-conventions-genai (gen-ai-spans.md)
    """
    if not report.calls:
        return {}
    asked = [call for call in report.calls if call.operation == _OPERATION]
    told = asked or report.calls  # an attempt that asks a model may embed a query for it, too
    last, usage = told[-1], report.usage or Usage()
    replies = [call.reply for call in told if call.reply is not None]
    reasons = [reply.finish_reason for reply in replies if reply.finish_reason is not None]
    return {
        "llm_calls": len(asked),
        "repair_turns": max(len(asked) - 1, 0),
        "cost_usd": usage.cost_usd,
        "gen_ai.operation.name": last.operation,
        "gen_ai.provider.name": last.provider,
        "gen_ai.request.model": last.asked,
        "gen_ai.response.model": replies[-1].model if replies else None,
        "gen_ai.response.finish_reasons": reasons or None,
        "gen_ai.usage.input_tokens": usage.tokens.input,
        "gen_ai.usage.output_tokens": usage.tokens.output,
    }


def _json(line: Mapping[str, Any]) -> str:
    """The line as text, of a length that Cloud Logging takes whole."""
    text = _written(line)
    if len(text) <= _LONGEST:
        return text
    room = _LONGEST // len(line) - 100  # for a field; names and the rest of it need some
    return _written({name: _shortened(value, room) for name, value in line.items()})


def _shortened(value: Any, room: int) -> Any:
    size = len(_dumped(_writable(value)))
    if size <= room:
        return value
    if isinstance(value, str):
        return value[: room // 6] + "…"  # a character may take six to be written
    return f"left out: {size:,} bytes"


def _written(line: Mapping[str, Any]) -> str:
    """The line, with what cannot be written of it replaced by the reason, field by field.

    NaN is no JSON: with it, the line would be plain text to Cloud Logging, of no trace at all.
    """
    try:
        return _dumped(line)
    except Exception:  # noqa: BLE001 - objects of user code may fail in any way when they are told
        return _dumped({name: _writable(value) for name, value in line.items()})


def _dumped(value: Any) -> str:
    return json.dumps(value, default=str, allow_nan=False)


def _writable(value: Any) -> Any:
    try:
        return json.loads(_dumped(value))
    except Exception as error:  # noqa: BLE001 - see above; it need not even have a text
        return f"unwritable: {type(error).__name__}"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
