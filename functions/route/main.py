"""Cloud Function `route`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.route.handler import handle
from shared.runtime.entry import server

serve = server("route", handle)


@functions_framework.aio.http
async def route(request: Request) -> Response:
    """Answers one Pub/Sub push request."""
    return await serve(request)
