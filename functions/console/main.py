"""Cloud Function `console`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.console import handler
from shared.runtime.container import deps_of, preload
from shared.runtime.entry import request_trace

preload("console")


@functions_framework.aio.http
async def console(request: Request) -> Response:
    """Answers one request to `/api/...`."""
    headers, query, path = dict(request.headers), dict(request.query_params), request.scope["path"]
    given = handler.Request(request.method, path, headers, await request.body(), query)
    deps = deps_of("console")
    answer = await handler.handle(given, deps, request_trace=request_trace(request))
    await deps.telemetry.flush()
    return JSONResponse(answer.body, answer.status, {"cache-control": "no-store"})
