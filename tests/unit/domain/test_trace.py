"""W3C trace context: what is read, what is refused, and what a child keeps."""

from __future__ import annotations

import pytest

from shared.domain.trace import TraceContext, parse_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, sampled=True)),
        (f"00-{TRACE}-{SPAN}-00", TraceContext(TRACE, SPAN, sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", TraceContext(TRACE, SPAN, sampled=True)),
        (f" 00-{TRACE.upper()}-{SPAN}-01 ", TraceContext(TRACE, SPAN, sampled=True)),
    ],
)
def test_a_valid_traceparent_is_read(header: str, expected: TraceContext) -> None:
    assert parse_traceparent(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_starts_a_trace_anew(header: str) -> None:
    assert parse_traceparent(header) is None


@pytest.mark.parametrize("sampled", [True, False])
def test_a_child_keeps_trace_and_sampling(sampled: bool) -> None:  # noqa: FBT001
    child = TraceContext(TRACE, SPAN, sampled).child("1" * 16)
    assert child == TraceContext(TRACE, "1" * 16, sampled)
    assert parse_traceparent(child.traceparent) == child
