"""The stand-in's own API for tests: `/_faults`, `/_calls`, `/_rules`, `/_latency`.

Changes what the stand-in does next; must not answer model requests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from emulator.standin.faults import BadControlError, armed_from
from emulator.standin.rule_file import parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from emulator.standin.state import State


def routes(state: State) -> list[BaseRoute]:
    """Return the routes that inspect and change `state`."""
    control = _Control(state)
    return [
        Route("/_faults", _checked(control.arm), methods=["POST"]),
        Route("/_faults", control.armed, methods=["GET"]),
        Route("/_faults", control.disarm, methods=["DELETE"]),
        Route("/_calls", control.calls, methods=["GET"]),
        Route("/_calls", control.forget, methods=["DELETE"]),
        Route("/_rules", _checked(control.replace), methods=["POST"]),
        Route("/_rules", control.restore, methods=["DELETE"]),
        Route("/_latency", _checked(control.latency), methods=["POST"]),
    ]


class _Control:
    def __init__(self, state: State) -> None:
        self._state = state

    async def arm(self, request: Request) -> JSONResponse:
        self._state.faults.arm(armed_from(await _json_object(request)))
        return JSONResponse(self._state.faults.listed(), 201)

    async def armed(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._state.faults.listed())

    async def disarm(self, _request: Request) -> JSONResponse:
        return JSONResponse({"disarmed": self._state.faults.clear()})

    async def calls(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._state.calls.summary())

    async def forget(self, _request: Request) -> JSONResponse:
        self._state.calls.clear()
        return JSONResponse(self._state.calls.summary())

    async def replace(self, request: Request) -> JSONResponse:
        self._state.rules = parse(_as_yaml(await request.body()), "POST /_rules")
        return JSONResponse({"rules": len(self._state.rules)})

    async def restore(self, _request: Request) -> JSONResponse:
        self._state.rules = self._state.first_rules.unused()
        return JSONResponse({"rules": len(self._state.rules)})

    async def latency(self, request: Request) -> JSONResponse:
        self._state.latency = _milliseconds(await _json_object(request)) / 1000
        return JSONResponse({"ms": self._state.latency * 1000})


def _checked(
    handler: Callable[[Request], Awaitable[JSONResponse]],
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def refusing(request: Request) -> JSONResponse:
        try:
            return await handler(request)
        except BadControlError as error:
            return JSONResponse({"error": str(error)}, 400)

    return refusing


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(await request.body())
    except ValueError as error:
        raise BadControlError(f"the body is not JSON ({error}): send an object") from error
    if not isinstance(value, dict):
        raise BadControlError(f"the body is {type(value).__name__}: send a JSON object")
    return value


def _as_yaml(body: bytes) -> str:
    # JSON may write a character outside the BMP as two escapes, which YAML would not join.
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", errors="replace")


def _milliseconds(order: dict[str, Any]) -> float:
    value = order.get("ms")
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadControlError(f'ms is {value!r}: send {{"ms": 200}}')
    return float(value)
