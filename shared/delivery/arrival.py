"""One HTTP request in hand, and the log line that tells of it: it may begin an event's story.

Decides what is told of a request. Of one that is refused little is, and never much at once: anybody
may have sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from shared.delivery.deps import Deps
from shared.delivery.scope import trace_of
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.events import Event
from shared.domain.origin import Origin
from shared.domain.records import Failure
from shared.domain.trace import TraceContext, parse_traceparent
from shared.ports import StageReport

_OUTCOMES = {200: "answered", 202: "accepted", 500: "crashed", 503: "retry"}
_LONGEST = 200  # characters of what a stranger may have sent


@dataclass
class Arrival:
    """What is known of the request so far. `trace` is the event's, below this request's span."""

    stage: str
    span_id: str
    path: str
    started: datetime
    request_trace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    trace: TraceContext | None = None
    parent_span_id: str | None = None
    message_id: str = ""
    stack_trace: str | None = None

    def brings(self, event: Event, attributes: Mapping[str, str]) -> TraceContext:
        """The request holds an event. Returns the place in its trace for what comes after.

        The trace is the sender's, where there is one; else that of the event's correlation.
        """
        self.labels = {
            "correlation_id": event.correlation_id,
            "event_id": event.id,
            "event_type": event.type,
        }
        # The CloudEvents distributed-tracing extension.
        sent = parse_traceparent(attributes.get("ce-traceparent", ""))
        self.parent_span_id = sent.span_id if sent else None
        given = {"traceparent": sent.traceparent} if sent else {}
        self.trace = trace_of(Message(b"", given), event.correlation_id).child(self.span_id)
        return self.trace

    @property
    def trace_id(self) -> str:
        """Of the event's trace; a request without an event is a story of its own."""
        return self.trace.trace_id if self.trace else ids.trace_id(self.span_id)

    def origin(self) -> Origin:
        """Where lines come from that are written meanwhile."""
        labels = {"stage": self.stage, **self.labels}
        return Origin(labels, self.trace_id, self.span_id, self.request_trace)

    def report(self, status: int, body: Any, deps: Deps) -> StageReport:
        """The line that tells what became of the request."""
        disposition: Literal["ack", "nack"] = "ack" if status < 300 else "nack"
        stack = {"stack_trace": self.stack_trace} if self.stack_trace else {}
        return StageReport(
            stage=self.stage,
            disposition=disposition,
            outcome=_OUTCOMES.get(status, "refused"),
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_span_id,
            started_at=self.started,
            duration_ms=(deps.clock.now() - self.started).total_seconds() * 1000,
            labels=self.labels,
            message_id=self.message_id,
            attempt=None,
            error=None if status < 300 else _failure(body["error"]),
            request_trace=self.request_trace,
            details={"status": status, "path": self.path[:_LONGEST], **stack},
        )


def _failure(error: Mapping[str, Any]) -> Failure:
    return Failure(code=error["code"], message=str(error["message"])[:_LONGEST])
