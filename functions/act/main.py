"""Cloud Function `act`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.act.handler import handle
from shared.runtime.entry import server

serve = server("act", handle)


@functions_framework.aio.http
async def act(request: Request) -> Response:
    """Answers one Pub/Sub push request."""
    return await serve(request)
