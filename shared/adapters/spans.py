"""From a stage's report to finished OpenTelemetry spans: one of the attempt, one a model call.

Ids are the report's, or derived from them, so that spans, log lines and messages agree. No text of
an event, prompt or answer, and no words of an error, become part of a span.
Names: OpenTelemetry's conventions for messaging and FaaS (1.44) and for generative AI, as of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.domain import ids
from shared.domain.records import Failure
from shared.domain.trace import sampled
from shared.ports import ModelCall, StageReport

Attributes = Mapping[str, str | int | float | tuple[str, ...]]

_LABELS = (
    "flow",
    "flow_version",
    "run_id",
    "correlation_id",
    "event_id",
    "event_type",
    "step",
    "prompt",
    "prompt_version",
    "tool",
    "speaker",
    "dead_letter",
)
_HTTP = frozenset({"ingest", "console"})
_LONGEST = 1024  # characters of a text; Cloud Trace takes names of 1,024 bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Source:
    """The stage as it is deployed. `service` and `revision` are Cloud Run's names, None elsewhere.

    `topic` is what it is subscribed to, None for stages with trigger http and where it is several.
    """

    name: str
    project: str
    topic: str | None = None
    service: str | None = None
    revision: str | None = None

    def resource(self) -> Resource:
        """What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say goes before what is known here.

        Cloud Trace files spans by `gcp.project_id` and refuses those that lack it.
        """
        known = {"service.name": self.name, "gcp.project_id": self.project}
        if self.service is not None:
            known |= {
                "cloud.provider": "gcp",
                "cloud.platform": "gcp_cloud_functions",
                "cloud.account.id": self.project,
                "faas.name": self.service,
                **({"faas.version": self.revision} if self.revision else {}),
            }
        return Resource.create().merge(Resource(known)).merge(OTELResourceDetector().detect())


class SpanBuilder:
    """Builds the spans of one stage."""

    def __init__(self, source: Source, *, share: float = 1.0) -> None:
        """`share` of all traces is kept, from 0 to 1."""
        self._source = source
        self._share = share
        self._resource = source.resource()
        self._scope = InstrumentationScope("segue")

    def spans_of(self, report: StageReport) -> list[ReadableSpan]:
        """The attempt's span and those of its model calls; none where the trace is not sampled.

        None either of an HTTP request that was refused: strangers would decide what is exported.
        """
        if not sampled(report.trace_id, self._share) or _is_refused(report):
            return []
        return [
            self._attempt(report),
            *(self._call(report, number, call) for number, call in enumerate(report.calls)),
        ]

    def _attempt(self, report: StageReport) -> ReadableSpan:
        parent = report.parent_span_id
        return self._span(
            _name(report),
            _context(report.trace_id, report.span_id),
            _context(report.trace_id, parent, is_remote=True) if parent else None,
            kind=SpanKind.SERVER if _is_http(report) else SpanKind.CONSUMER,
            attributes=_attempt_attributes(report, self._source.topic),
            start=report.started_at,
            duration_ms=report.duration_ms,
            error=report.error,
        )

    def _call(self, report: StageReport, number: int, call: ModelCall) -> ReadableSpan:
        return self._span(
            f"{call.operation} {call.asked}",
            _context(report.trace_id, ids.span_id(report.span_id, "call", str(number))),
            _context(report.trace_id, report.span_id),
            kind=SpanKind.CLIENT,
            attributes=_call_attributes(call, report.labels),
            start=call.started_at,
            duration_ms=call.duration_ms,
            error=call.error,
        )

    def _span(  # noqa: PLR0913 - a span has that many parts
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        *,
        kind: SpanKind,
        attributes: Attributes,
        start: datetime,
        duration_ms: float,
        error: Failure | None,
    ) -> ReadableSpan:
        end = _nanoseconds(start + timedelta(milliseconds=max(duration_ms, 0)))
        return ReadableSpan(
            name=_clean(name),
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=_cleaned({**attributes, **_error_type(error)}),
            events=[_exception(error, end)] if error else (),
            kind=kind,
            status=Status(StatusCode.ERROR, _clean(error.code)) if error else Status(),
            start_time=_nanoseconds(start),
            end_time=end,
            instrumentation_scope=self._scope,
        )


def _is_http(report: StageReport) -> bool:
    return report.stage in _HTTP


def _is_refused(report: StageReport) -> bool:
    return _is_http(report) and report.outcome == "refused"


def _name(report: StageReport) -> str:
    """What is known of flow and step ("generate support-reply/draft"), and nothing of the event."""
    where = "/".join(report.labels[name] for name in ("flow", "step") if report.labels.get(name))
    return f"{report.stage} {where}".rstrip()


def _attempt_attributes(report: StageReport, topic: str | None) -> Attributes:
    found: dict[str, str | int | float] = {
        "segue.stage": report.stage,
        "segue.outcome": report.outcome,
        "segue.disposition": report.disposition,
        **{f"segue.{name}": report.labels[name] for name in _LABELS if report.labels.get(name)},
        **(_request(report) if _is_http(report) else _message(report, topic)),
    }
    if report.usage is not None:
        found["segue.llm_calls"] = report.usage.llm_calls
        if report.usage.cost_usd is not None:
            found["segue.cost_usd"] = report.usage.cost_usd
    if report.request_trace:
        found["segue.request_trace"] = report.request_trace
    return found


def _request(report: StageReport) -> dict[str, str | int]:
    status = report.details.get("status")
    answered = {"http.response.status_code": status} if isinstance(status, int) else {}
    return {"faas.trigger": "http", **answered}


def _message(report: StageReport, topic: str | None) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "faas.trigger": "pubsub",
        "messaging.system": "gcp_pubsub",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": report.message_id,
    }
    if topic is not None:
        found["messaging.destination.name"] = topic
    if report.attempt is not None:
        found["messaging.gcp_pubsub.message.delivery_attempt"] = report.attempt
    if correlation := report.labels.get("correlation_id"):
        found["messaging.message.conversation_id"] = correlation
    return found


def _call_attributes(call: ModelCall, labels: Mapping[str, str]) -> Attributes:
    known = {
        "gen_ai.provider.name": call.provider,
        "gen_ai.agent.name": labels.get("speaker"),
        "gen_ai.prompt.name": labels.get("prompt"),
        "gen_ai.prompt.version": labels.get("prompt_version"),
    }
    found: dict[str, str | int | tuple[str, ...]] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.request.model": call.asked,
        **{name: text for name, text in known.items() if text},
    }
    if call.reply is not None:
        found |= {
            "gen_ai.response.model": call.reply.model,
            "gen_ai.usage.input_tokens": call.reply.tokens.input,
            "gen_ai.usage.output_tokens": call.reply.tokens.output,
            "gen_ai.usage.cache_read.input_tokens": call.reply.tokens.cached,
        }
        if call.reply.finish_reason:
            found["gen_ai.response.finish_reasons"] = (call.reply.finish_reason,)
    return found


def _error_type(error: Failure | None) -> dict[str, str]:
    return {"error.type": error.code} if error else {}


def _exception(error: Failure, moment: int) -> Event:
    """Its code alone: the words of an error may quote an event or an answer."""
    return Event("exception", {"exception.type": _clean(error.code)}, timestamp=moment)


def _context(trace_id: str, span_id: str, *, is_remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, flags)


def _cleaned(attributes: Attributes) -> Attributes:
    return {
        name: _clean(value) if isinstance(value, str) else value
        for name, value in attributes.items()
    }


def _clean(text: str) -> str:
    """Without half characters: one of them would make the whole export unwritable."""
    return text[:_LONGEST].encode(errors="replace").decode()


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
