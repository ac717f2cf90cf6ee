"""Lets people and programs look at runs and act on them: a JSON API, and no pages.

Who asks is proven by a token, and is the `by` of what they ask. A command is published to the
entry topic, as the command line does; the run is looked at first, so that what cannot be done is
said at once. Writes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from shared.delivery.arrival import Arrival
from shared.delivery.commands import commanding
from shared.delivery.commands.commanding import Asked, message_of
from shared.delivery.deps import Deps
from shared.delivery.requests import Request, Response, problem, serve
from shared.delivery.runs.listing import MOST_RUNS, runs_of
from shared.delivery.runs.report import report_of
from shared.domain.commands import Cancel, Pause, Resume
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES
from shared.domain.records import RunStatus
from shared.errors import EventTooLargeError, UsageError

SOURCE = "//segue/console"
_USUAL_RUNS = 50
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,300}")
_ORDERS: dict[str, type[Cancel | Pause | Resume]] = {
    "cancel": Cancel,
    "pause": Pause,
    "resume": Resume,
}
_KNOWN = (
    "GET /api/runs, GET /api/runs/<id>, POST /api/runs/<id>/signals/<name>,"
    " POST /api/runs/<id>/steps/<step>/approve or reject,"
    " POST /api/runs/<id>/cancel, pause or resume"
)


class QueryInvalidError(UsageError):
    """Correct the query: flow=<name>, status=<status>, limit=<number>."""


class BodyInvalidError(UsageError):
    """Correct the body: it is JSON, or empty."""


async def handle(request: Request, deps: Deps, *, request_trace: str | None = None) -> Response:
    """200 with what is asked for, 202 with the ids of a command.

    Else 400, 401, 404, 405, 409, 413, 500 or 503 with what is wrong.
    """
    return await serve(request, deps, _routed, request_trace=request_trace)


async def _routed(request: Request, deps: Deps, arrival: Arrival) -> Response:
    place = _place(request.path)
    if place is None:
        return problem(404, "NotFound", f"there is {_KNOWN}")
    method, do = place
    if request.method != method:
        return problem(405, "MethodNotAllowed", f"use {method}; there is {_KNOWN}")
    by = deps.callers.name_of(request.headers.get("authorization", ""))
    if by is None:
        return problem(401, "Unauthorized", _how_to_be_known(deps))
    if len(request.body) > MAX_DATA_BYTES:
        raise EventTooLargeError(f"a body of {len(request.body):,} bytes")
    arrival.labels = {"by": by}
    return await do(_Visit(request, deps, arrival, by))


def _how_to_be_known(deps: Deps) -> str:
    if not deps.callers.tokens:
        return 'nobody is known: set SEGUE_CONSOLE_TOKENS to {"you@example.com": "<long random>"}'
    return "send `Authorization: Bearer <token>` with a token of SEGUE_CONSOLE_TOKENS"


@dataclass(frozen=True)
class _Visit:
    """A request of somebody who is known."""

    request: Request
    deps: Deps
    arrival: Arrival
    by: str

    async def runs(self) -> Response:
        query = dict(self.request.query)
        flow, status = query.pop("flow", None), query.pop("status", None)
        limit = query.pop("limit", str(_USUAL_RUNS))
        if query:
            raise QueryInvalidError(f"nothing is known of {', '.join(sorted(query))[:100]!r}")
        if status and status not in set(RunStatus):
            raise QueryInvalidError(f"status is one of {', '.join(RunStatus)}")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_RUNS):
            raise QueryInvalidError(f"limit is from 1 to {MOST_RUNS}")
        wanted = RunStatus(status) if status else None
        return Response(200, await runs_of(self.deps, flow=flow, status=wanted, limit=int(limit)))

    async def show(self, run: str) -> Response:
        report = await report_of(run, self.deps)
        self.arrival.labels |= {"run_id": run, "flow": report["flow"]}
        return Response(200, report)

    async def signal(self, run: str, name: str) -> Response:
        data = _json(self.request.body)
        return await self._publish(
            await commanding.signal(run, name, data, by=self.by, sight=self.deps)
        )

    async def decide(self, run: str, step: str, *, approved: bool) -> Response:
        comment = _text(self.request.body, "comment")
        decision = commanding.decision(
            run, step, approved=approved, comment=comment, by=self.by, sight=self.deps
        )
        return await self._publish(await decision)

    async def order(self, run: str, verb: str) -> Response:
        reason = _text(self.request.body, "reason")
        # A resumption keeps no reason: with that of the pause, it is gone.
        command = _ORDERS[verb](run=run, by=self.by, reason=reason)
        return await self._publish(await commanding.order(command, self.deps))

    async def _publish(self, asked: Asked) -> Response:
        """The command, in the story of its run."""
        deps, arrival = self.deps, self.arrival
        event_id = f"{deps.new_token()}{deps.new_token()}"
        message, event = message_of(asked, source=SOURCE, event_id=event_id, now=deps.clock.now())
        trace = arrival.brings(event, {"ce-traceparent": asked.run.traceparent})
        arrival.labels |= {"by": self.by, "run_id": asked.run.run_id, "flow": asked.run.flow}
        attributes = {**message.attributes, "traceparent": trace.traceparent}
        [arrival.message_id] = await deps.bus.publish("events", [Message(message.data, attributes)])
        return Response(202, {"run_id": asked.run.run_id, "command_id": event.id})


_Do = Callable[[_Visit], Awaitable[Response]]


def _place(path: str) -> tuple[str, _Do] | None:
    """The method and what is done there; None where nothing is."""
    parts = path.strip("/").split("/")
    if len(parts) > 2 and not _RUN.fullmatch(parts[2]):
        return None  # no run has such an id, and the store takes no such name
    match parts:
        case ["api", "runs"]:
            return "GET", _Visit.runs
        case ["api", "runs", run]:
            return "GET", lambda visit: visit.show(run)
        case ["api", "runs", run, "signals", *name] if name:  # a name may have slashes in it
            return "POST", lambda visit: visit.signal(run, "/".join(name))
        case ["api", "runs", run, "steps", step, "approve" | "reject" as verb]:
            return "POST", lambda visit: visit.decide(run, step, approved=verb == "approve")
        case ["api", "runs", run, verb] if verb in _ORDERS:
            return "POST", lambda visit: visit.order(run, verb)
    return None


# -- bodies -------------------------------------------------------------------------------------


def _text(body: bytes, name: str) -> str | None:
    """The only field of an object, which may be left out, as may all of it."""
    given = _json(body)
    value = given.get(name) if isinstance(given, dict) else None
    known = given is None or (isinstance(given, dict) and given.keys() <= {name})
    if not known or not isinstance(value, str | None):
        raise BodyInvalidError(f'it has at most {{"{name}": "..."}}')
    return value


def _json(body: bytes) -> Any:
    """The body's value, None of an empty one."""
    try:
        return json.loads(body, parse_constant=_refuse) if body.strip() else None
    except (ValueError, RecursionError) as error:
        raise BodyInvalidError(f"it is not JSON: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")
