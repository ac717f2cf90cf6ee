"""The stand-in as an ASGI application: reads a request, decides, waits, answers.

The order is fault, rule, response schema. Holds no rule of its own.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from emulator.standin import control
from emulator.standin.cache_routes import cache_routes
from emulator.standin.caches import CacheRefusedError
from emulator.standin.calls import UNANSWERED
from emulator.standin.contents import objects
from emulator.standin.conversation import objection
from emulator.standin.derive import UnderivableSchemaError, derive
from emulator.standin.faults import NO_ANSWER, REFUSALS, Armed, Fault
from emulator.standin.phrases import spoken
from emulator.standin.question import COUNT, MalformedRequestError, Question, read
from emulator.standin.responses import answered, instead, invalid
from emulator.standin.scripts import ScriptError
from emulator.standin.state import State
from emulator.standin.vectors import embeddings_body
from emulator.standin.wire import Reply, ToolCall

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from emulator.standin.rules import Picked, Rules

# Rules for the prompts that come with the project.
RULES_FILE = Path(__file__).with_name("rules.yaml")
_OK = 200


def build(rules: Rules, *, latency: float = 0.0) -> Starlette:
    """Build the stand-in; `latency` in seconds is added to every model call."""
    state = State(rules, latency)

    async def model_call(request: Request) -> Response:
        return await _call(state, request)

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"ok": True, "rules": len(state.rules)})

    return Starlette(
        routes=[
            *control.routes(state),
            *cache_routes(state),
            Route("/", health, methods=["GET"]),
            Route("/{path:path}", model_call, methods=["POST"]),
        ]
    )


async def _call(state: State, request: Request) -> Response:
    try:
        question = read(request.path_params["path"], await request.body())
        question = state.caches.filled(question)
    except CacheRefusedError as error:
        return invalid(str(error), error.status)
    except MalformedRequestError as error:
        return invalid(str(error), 400 if ":" in request.path_params["path"] else 404)
    if question.generates and (problem := objection(objects(question.body.get("contents")))):
        return invalid(problem)
    armed = state.faults.take(question)
    # A call that is refused must not use up the answer of a rule.
    refused = armed is not None and armed.fault in REFUSALS | NO_ANSWER
    try:
        picked = state.rules.pick(question) if question.generates and not refused else None
    except ScriptError as error:
        return invalid(f"a rule of the stand-in cannot be followed: {error}")
    fault = armed.fault if armed else picked.rule.fault if picked else None
    response = _response(question, picked, fault, sse=request.query_params.get("alt") == "sse")
    status = UNANSWERED if fault in NO_ANSWER else response.status_code
    state.calls.add(question, status, fault.value if fault else None)
    if delay := state.latency + _delay(armed, picked):
        await _wait(request, delay)
    return response


async def _wait(request: Request, delay: float) -> None:
    # Not longer than the client is there: what it gave up must not keep the server from stopping.
    gone = asyncio.ensure_future(request.receive())
    await asyncio.wait({gone}, timeout=delay)
    gone.cancel()


def _delay(armed: Armed | None, picked: Picked | None) -> float:
    return (armed.delay if armed else 0.0) + (picked.rule.delay if picked else 0.0)


def _response(
    question: Question, picked: Picked | None, fault: Fault | None, *, sse: bool
) -> Response:
    if fault is not None and (replaced := instead(fault)) is not None:
        return replaced
    if question.method in COUNT:
        count = question.prompt_tokens
        return JSONResponse({"totalTokens": count, "totalBillableCharacters": count * 4})
    if not question.generates:
        return JSONResponse(embeddings_body(question))
    try:
        reply = (picked.reply if picked else None) or _derived(question)
    except UnderivableSchemaError as error:
        return invalid(str(error))
    return answered(question, reply, fault, sse=sse)


def _derived(question: Question) -> Reply:
    if question.must_call:
        function = question.must_call[0]
        return Reply(calls=(_derived_call(function, question),))
    if question.schema is not None:
        value = derive(question.schema, question.text)
        if question.mime == "text/x.enum" and isinstance(value, str):
            return Reply(text=value)
        return Reply(text=json.dumps(value, ensure_ascii=False))
    said = spoken(question.text)
    return Reply(text=json.dumps({"answer": said}) if question.mime == "application/json" else said)


def _derived_call(function: dict[str, object], question: Question) -> ToolCall:
    schema = (
        function.get("parametersJsonSchema")
        or function.get("parameters_json_schema")
        or function.get("parameters")
    )
    args = derive(schema, question.text) if isinstance(schema, dict) else {}
    name, number = str(function.get("name", "")), question.conversation.turn
    return ToolCall(name, args if isinstance(args, dict) else {}, f"call-{number}-1")
