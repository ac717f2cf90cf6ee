"""Cloud Function `ingest`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.ingest import handler
from shared.runtime.container import deps_of, preload
from shared.runtime.entry import request_trace

preload("ingest")


@functions_framework.aio.http
async def ingest(request: Request) -> Response:
    """Answers one request to `/events` or `/hooks/<source>`."""
    headers = dict(request.headers)
    given = handler.Request(request.method, request.url.path, headers, await request.body())
    deps = deps_of("ingest")
    answer = await handler.handle(given, deps, request_trace=request_trace(request))
    await deps.telemetry.flush()
    return JSONResponse(answer.body, status_code=answer.status)
