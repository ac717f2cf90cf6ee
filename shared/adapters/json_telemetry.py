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

from shared.ports import StageReport

_SEVERITY = {"ack": "INFO", "nack": "WARNING", "bury": "ERROR"}
_CRASHED = "crashed"
_LOGGING = "logging.googleapis.com/"
# Error Reporting groups an entry by these only where they are at its top.
_TOP_LEVEL_DETAILS = ("stack_trace",)


class JsonTelemetry:
    """Implements `Telemetry`.

    Writes to the process's own standard output: the functions framework replaces `sys.stdout`
    with a stream that rewrites span ids.
    """

    def __init__(
        self,
        project: str,
        stream: TextIO | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._project = project
        self._stream = stream if stream is not None else sys.__stdout__
        self._now = now

    def report(self, report: StageReport) -> None:
        details = dict(report.details)
        self._write(
            {
                "severity": severity_of(report),
                "message": sentence(report),
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
                "message_id": report.message_id,
                "delivery_attempt": report.attempt,
                "request_trace": report.request_trace,
                **_error(report),
                **_usage(report),
                **{name: details.pop(name) for name in _TOP_LEVEL_DETAILS if name in details},
                "details": details or None,
            }
        )

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None:
        labels = fields.pop("labels", None)
        self._write(
            {
                **fields,
                "severity": severity,
                "message": message,
                "time": _rfc3339(self._now()),
                **(self._trace(trace_id) if trace_id else {}),
                f"{_LOGGING}labels": dict(labels) if isinstance(labels, Mapping) else None,
            }
        )

    def _trace(self, trace_id: str) -> dict[str, Any]:
        trace = f"projects/{self._project}/traces/{trace_id}"
        return {f"{_LOGGING}trace": trace, f"{_LOGGING}trace_sampled": True}

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
    what = "/".join(parts) or f"message {report.message_id}"
    why = f": {report.error.code}: {report.error.message}" if report.error else ""
    return f"{report.stage} {report.outcome}: {what} in {report.duration_ms:.0f} ms{why}"


def _error(report: StageReport) -> dict[str, Any]:
    if report.error is None:
        return {}
    return {"error": {"code": report.error.code, "message": report.error.message}}


def _usage(report: StageReport) -> dict[str, Any]:
    """Names of OpenTelemetry's conventions for generative AI, and the price."""
    if report.usage is None:
        return {}
    return {
        "gen_ai.request.model": report.details.get("model"),
        "gen_ai.usage.input_tokens": report.usage.tokens.input,
        "gen_ai.usage.output_tokens": report.usage.tokens.output,
        "llm_calls": report.usage.llm_calls,
        "cost_usd": report.usage.cost_usd,
    }


def _json(line: Mapping[str, Any]) -> str:
    try:
        return json.dumps(line, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        known = {name: str(line.get(name)) for name in ("severity", "message", "time")}
        return json.dumps({**known, "unwritable": str(error)})


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
