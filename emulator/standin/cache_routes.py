"""The REST of cached contents: made, looked at and deleted by name. Decides nothing about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from emulator.standin.caches import CacheRefusedError
from emulator.standin.calls import UNANSWERED
from emulator.standin.contents import field, text_of
from emulator.standin.faults import NO_ANSWER
from emulator.standin.question import KEEP, Question, tokens
from emulator.standin.responses import instead, invalid

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from emulator.standin.contents import JsonObject
    from emulator.standin.state import State

_OK = 200


def cache_routes(state: State) -> list[BaseRoute]:
    """Return the routes; a location is whatever comes before `cachedContents`."""

    async def create(request: Request) -> Response:
        return await _create(state, request)

    async def one(request: Request) -> Response:
        try:
            if request.method == "DELETE":
                state.caches.delete(_name(request))
                return JSONResponse({})
            return JSONResponse(state.caches.get(_name(request)).shown())
        except CacheRefusedError as error:
            return invalid(str(error), error.status)

    return [
        Route("/{parent:path}/cachedContents", create, methods=["POST"]),
        Route("/{parent:path}/cachedContents/{number}", one, methods=["GET", "DELETE"]),
    ]


async def _create(state: State, request: Request) -> Response:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        return invalid(f"the body is not JSON: {error}")
    if not isinstance(body, dict):
        return invalid(f"the body is {type(body).__name__}, not a JSON object")
    question = _asked(body)
    armed = state.faults.take(question)
    replaced = instead(armed.fault) if armed is not None else None
    if armed is not None and replaced is not None:
        status = UNANSWERED if armed.fault in NO_ANSWER else replaced.status_code
        state.calls.add(question, status, armed.fault.value)
        return replaced
    try:
        cache = state.caches.create(_parent(request), body)
    except CacheRefusedError as error:
        state.calls.add(question, error.status, None)
        return invalid(str(error), error.status)
    state.calls.add(question, _OK, None)
    return JSONResponse(cache.shown())


def _asked(body: JsonObject) -> Question:
    """Return the request as the log of calls has it."""
    system = text_of(field(body, "systemInstruction") or {})
    [method] = KEEP
    return Question(
        method=method,
        model=str(body.get("model", "")).rpartition("/")[2],
        prompt="",
        text=system,
        system=system,
        schema=None,
        mime="text/plain",
        must_call=(),
        prompt_tokens=tokens(system),
        body=body,
    )


def _parent(request: Request) -> str:
    """Return a location's name, without the version of the API before it."""
    version, _, parent = str(request.path_params["parent"]).partition("/")
    return parent if version.startswith("v1") else f"{version}/{parent}"


def _name(request: Request) -> str:
    return f"{_parent(request)}/cachedContents/{request.path_params['number']}"
