"""W3C trace context (https://www.w3.org/TR/trace-context/): reads and writes `traceparent`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True)
class TraceContext:
    """A position in a trace. `span_id` is the sender's span."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self, span_id: str) -> TraceContext:
        """The same trace, seen from a span below this one."""
        return TraceContext(self.trace_id, span_id, self.sampled)


def parse_traceparent(value: str) -> TraceContext | None:
    """None where the value is not a valid version-00 traceparent; the caller then starts anew."""
    match = _TRACEPARENT.fullmatch(value.strip().lower())
    if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
        return None
    return TraceContext(match[1], match[2], sampled=bool(int(match[3], 16) & 1))


def sampled(trace_id: str, share: float) -> bool:
    """Whether a trace is among the `share` (0 to 1) that is kept; all stages agree, unasked.

    OpenTelemetry's TraceIdRatioBased rule: the id's lower 64 bits, taken as a fraction.
    """
    return int(trace_id[16:], 16) < round(share * 2**64)
