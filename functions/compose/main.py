"""Cloud Function `compose`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.compose.handler import handle
from shared.runtime.entry import server

serve = server("compose", handle)


@functions_framework.aio.http
async def compose(request: Request) -> Response:
    """Answers one Pub/Sub push request."""
    return await serve(request)
