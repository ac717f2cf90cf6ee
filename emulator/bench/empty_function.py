"""The floor's function: takes a push, says when, does nothing."""

from __future__ import annotations

import base64
import json
import sys
import time

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response


@functions_framework.aio.http
async def empty(request: Request) -> Response:
    """Prints the message's number and the time, then acknowledges."""
    push = json.loads(await request.body())
    number = base64.b64decode(push["message"]["data"]).decode()
    sys.stdout.write(f"{number} {time.time()}\n")
    sys.stdout.flush()
    return Response(status_code=204)
