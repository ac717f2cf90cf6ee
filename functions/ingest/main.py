"""Cloud Function `ingest`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.ingest import handler
from shared.runtime.container import deps_of, preload
from shared.runtime.entry import page_or_json, request_trace

preload("ingest")


@functions_framework.aio.http
async def ingest(request: Request) -> Response:
    """Answers one request to `/events`, `/hooks/<source>` or `/approvals/<token>`."""
    headers = dict(request.headers)
    given = handler.Request(request.method, request.url.path, headers, await request.body())
    deps = deps_of("ingest")
    answer = await handler.handle(given, deps, request_trace=request_trace(request))
    await deps.telemetry.flush()
    return page_or_json(answer)
