"""An OTLP/HTTP collector on localhost: decodes what it is sent, and fails as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.serving import serve


@dataclass(frozen=True)
class Span:
    """A span as it arrived; ids in hex, `parent` empty at a root."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    error: str | None


@dataclass
class Receiver:
    """What has arrived. Answers `status` and `spoken`, refuses `refused` spans; `gate` holds it."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    refused: int = 0
    spoken: str | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def take(self, request: Request) -> Response:
        body = await request.body()
        await self.gate.wait()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if self.status == 200:
            self.spans += decoded(body)
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = self.refused
        told = answer.SerializeToString() if self.spoken is None else self.spoken
        return Response(told, self.status, {"location": "/"})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that is up; `url` is what OTEL_EXPORTER_OTLP_ENDPOINT would be set to."""
    receiver = Receiver()
    served = await serve(Starlette(routes=[Route("/v1/traces", receiver.take, methods=["POST"])]))
    receiver.url = served.url
    try:
        yield receiver
    finally:
        receiver.gate.set()
        await served.stop()


def decoded(body: bytes) -> list[Span]:
    """The spans of an export."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Span(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            kind=span.kind,
            attributes=_values(span.attributes),
            resource=_values(group.resource.attributes),
            error=span.status.message if span.status.code == 2 else None,
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def root_of(spans: list[Span]) -> Span:
    """The one root of the one tree that the spans form; fails where they do not."""
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans)
    assert len({span.trace for span in spans}) == 1
    [root] = [span for span in spans if span.parent not in by_id]
    for span in spans:
        above, seen = span, {span.id}
        while above is not root:
            above = by_id[above.parent]
            assert above.id not in seen
            seen.add(above.id)
    return root


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(one) for one in value.array_value.values)
    return getattr(value, kind)
