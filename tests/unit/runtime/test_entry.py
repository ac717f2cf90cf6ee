"""The HTTP entry: which trace the platform gave a request."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from shared.runtime.entry import request_trace

TRACE = "105445aa7843bc8bf206b12000100000"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4736"


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"x_cloud_trace_context": f"{TRACE}/1;o=1"}, TRACE),
        ({"x_cloud_trace_context": TRACE}, TRACE),
        ({"traceparent": f"00-{OTHER}-00f067aa0ba902b7-01"}, OTHER),
        (
            {
                "x_cloud_trace_context": f"{TRACE}/1;o=1",
                "traceparent": f"00-{OTHER}-00f067aa0ba902b7-01",
            },
            TRACE,
        ),
        ({}, None),
        ({"x_cloud_trace_context": "short/1"}, None),
    ],
)
def test_a_requests_trace_is_read_from_its_headers(
    headers: dict[str, str], trace: str | None
) -> None:
    assert request_trace(request(**headers)) == trace
