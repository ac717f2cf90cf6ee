"""Acts the faults out, and the two endings HTTP libraries do not offer: no answer, cut off.

Must not decide which request meets a fault.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator.serving import abort
from emulator.standin.faults import NO_ANSWER, REFUSALS, Fault
from emulator.standin.wire import Reply, blocked_prompt_body, chunks, error_body, reply_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from emulator.standin.question import Question

JsonObject = dict[str, Any]

_MESSAGES = {
    Fault.QUOTA: "Resource exhausted. Please try again later.",
    Fault.UNAVAILABLE: "The service is currently unavailable.",
    Fault.INTERNAL: "Internal error encountered.",
    Fault.INVALID: "Request contains an invalid argument.",
}
_NOT_JSON = "I am sorry, but I would rather explain this in my own words than in JSON."
_GARBAGE = b'{"candidates": [{"content": {"role": "model", "par'


class Unanswered(Response):
    """Gives no answer: waits for the client to go away, or cuts the connection at once."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End without sending anything."""
        del send
        if self._cut:
            abort(scope)
        while (await receive())["type"] != "http.disconnect":
            continue


def instead(fault: Fault) -> Response | None:
    """Return what a fault puts in place of any answer; None if it only spoils the words."""
    if fault in NO_ANSWER:
        return Unanswered(cut=fault is Fault.DROP)
    if fault is Fault.GARBAGE:
        return Response(_GARBAGE, media_type="application/json")
    return _refusal(fault) if fault in REFUSALS else None


def _refusal(fault: Fault) -> JSONResponse:
    # Being over quota says when to come back.
    status = int(fault.value)
    headers = {"Retry-After": "1"} if fault is Fault.QUOTA else None
    return JSONResponse(error_body(status, _MESSAGES[fault]), status, headers)


def invalid(message: str, status: int = 400) -> JSONResponse:
    """Answer that the request itself is wrong."""
    return JSONResponse(error_body(status, message), status)


def answered(question: Question, reply: Reply, fault: Fault | None, *, sse: bool) -> Response:
    """Write the reply down, spoiled by the fault if there is one, in the form that was asked."""
    body = _body(question, reply, fault)
    if question.method != "streamGenerateContent":
        return JSONResponse(body)
    if sse:
        return StreamingResponse(_events(body), media_type="text/event-stream")
    return JSONResponse(list(chunks(body)))


def _body(question: Question, reply: Reply, fault: Fault | None) -> JsonObject:
    if fault is Fault.BLOCKED_PROMPT:
        return blocked_prompt_body(question)
    spoiled = {
        Fault.NOT_JSON: Reply(text=_NOT_JSON),
        Fault.BLOCKED: Reply(finish="SAFETY"),
        Fault.EMPTY: Reply(),
        Fault.MISCALLED: Reply(finish="MALFORMED_FUNCTION_CALL"),
        Fault.TRUNCATED: Reply(text=reply.text[: len(reply.text) // 2], finish="MAX_TOKENS"),
    }
    return reply_body(question, reply if fault is None else spoiled.get(fault, reply))


def _events(body: JsonObject) -> Iterator[str]:
    for chunk in chunks(body):
        yield f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n"
