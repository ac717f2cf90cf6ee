"""The stages that people and programs call over HTTP: what they are asked, and how they answer.

Answers are JSON, or a page for people; a refusal is always of one form, and one log line tells of
each request. Decides which error has which status, and nothing about what is asked.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.delivery.arrival import Arrival
from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.origin import in_hand
from shared.errors import EventTooLargeError, NotFoundError, RefusedError, SegueError, Transient


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names in lower case, the path decoded and without its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


class Page(Protocol):
    """HTML for a person: its text, and the headers that go with it."""

    @property
    def headers(self) -> dict[str, str]: ...


@dataclass(frozen=True)
class Response:
    """A status and a JSON body; where there is a `page`, that is sent in place of the body."""

    status: int
    body: Any
    page: Page | None = None


Answer = Callable[[Request, Deps, Arrival], Awaitable[Response]]
_STATUS: tuple[tuple[type[SegueError], int], ...] = (
    (EventTooLargeError, 413),
    (NotFoundError, 404),
    (RefusedError, 409),
    (Transient, 503),
    (SegueError, 400),
)


async def serve(
    request: Request, deps: Deps, answer: Answer, *, request_trace: str | None = None
) -> Response:
    """What `answer` gives, or what is wrong: 400, 404, 409, 413, 500 or 503.

    One log line tells of each request, whatever becomes of it.
    """
    span_id = ids.span_id(deps.new_token(), deps.new_token())
    started, stage = deps.clock.now(), deps.stage.name
    arrival = Arrival(stage, span_id, request.path, started, request_trace)
    with in_hand(arrival.origin):
        response = await _answered(request, deps, answer, arrival)
        deps.telemetry.report(arrival.report(response.status, response.body, deps))
    return response


async def _answered(request: Request, deps: Deps, answer: Answer, arrival: Arrival) -> Response:
    try:
        return await answer(request, deps, arrival)
    except SegueError as error:
        return refusal(error)
    except Exception:  # noqa: BLE001 - a defect: the log line has the stack, the sender has none
        arrival.stack_trace = traceback.format_exc()
        return problem(500, "Internal", "the request failed here; send it again")


def refusal(error: SegueError) -> Response:
    """What was wrong, with its remedy."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    reason = {"reason": error.reason} if isinstance(error, RefusedError) and error.reason else {}
    return problem(status, error.code, str(error), **reason)


def problem(status: int, code: str, message: str, **more: str) -> Response:
    """The form of every refusal. `code` is for machines, and so is what there is `more`."""
    return Response(status, {"error": {"code": code, "message": message, **more}})
