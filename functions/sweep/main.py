"""Cloud Function `sweep`: the entry point; decides nothing."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.sweep.handler import handle
from shared.runtime.entry import server

serve = server("sweep", handle)


@functions_framework.aio.http
async def sweep(request: Request) -> Response:
    """Answers one Pub/Sub push request."""
    return await serve(request)
