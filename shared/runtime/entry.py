"""Between functions-framework and the stages: an HTTP request in, an HTTP answer out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, Response

from shared.delivery.stage import Handle, receive
from shared.runtime.container import deps_of, preload

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.delivery.requests import Response as Answered

_TRACE_HEADER = "x-cloud-trace-context"
_TRACE_ID = re.compile("[0-9a-f]{32}")


Serve = Callable[["Request"], Awaitable[Response]]


def server(stage: str, handle: Handle) -> Serve:
    """Answers a stage's Pub/Sub push requests.

    Imports the stage's adapters now, while the instance starts and has its CPU boost, and builds
    clients with the first request, in the loop they are bound to.
    """
    preload(stage)

    async def serve(request: Request) -> Response:
        deps = deps_of(stage)
        status = await receive(
            await request.body(), deps, handle, request_trace=request_trace(request)
        )
        await deps.telemetry.flush()  # before the answer: with it an instance may lose its CPU
        return Response(status_code=status)

    return serve


def page_or_json(answer: Answered) -> Response:
    """The answer to a person or to a program."""
    if answer.page is None:
        return JSONResponse(answer.body, status_code=answer.status)
    page = answer.page
    return HTMLResponse(str(page), status_code=answer.status, headers=page.headers)


def request_trace(request: Request) -> str | None:
    """The platform's own trace of this request; the run's trace comes with the message."""
    header = request.headers.get(_TRACE_HEADER) or request.headers.get("traceparent", "")
    parts = header.replace("-", "/").split("/")
    candidates = [part for part in parts if _TRACE_ID.fullmatch(part)]
    return candidates[0] if candidates else None
