"""Lets events in over HTTP: checks who sends, normalises what is sent, publishes, answers 202.

Ids are derived from the event, so a repeated request is answered with the same ones and `route`
drops it. Knows no flow and stores nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES, STRUCTURED, Event, from_message
from shared.domain.trace import parse_traceparent
from shared.domain.webhooks import SLACK
from shared.errors import EventInvalidError, EventTooLargeError, SegueError, Transient

_NOT_YET = "unpublished"  # stands in for the Pub/Sub message id while an event is checked


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """A status and a JSON body."""

    status: int
    body: Mapping[str, Any]


async def handle(request: Request, deps: Deps) -> Response:
    """202 with the event's ids; 400, 401, 404, 405, 413 or 503 with what is wrong."""
    try:
        return await _routed(request, deps)
    except EventTooLargeError as error:
        return _refusal(413, error)
    except Transient as error:
        return _refusal(503, error)
    except SegueError as error:
        return _refusal(400, error)


async def _routed(request: Request, deps: Deps) -> Response:
    parts = [part for part in request.path.split("/") if part]
    is_hook = len(parts) >= 2 and parts[-2] == "hooks"
    if not is_hook and parts[-1:] != ["events"]:
        return _problem(404, "NotFound", "send events to POST /events or POST /hooks/<source>")
    if request.method != "POST":
        return _problem(405, "MethodNotAllowed", "events are sent with POST")
    if len(request.body) > MAX_DATA_BYTES * 2:
        raise EventTooLargeError(f"a body of {len(request.body):,} bytes")
    return await (_hook(parts[-1], request, deps) if is_hook else _event(request, deps))


# -- CloudEvents --------------------------------------------------------------------------------


async def _event(request: Request, deps: Deps) -> Response:
    if not deps.gate.admits(request.headers.get("authorization", "")):
        return _problem(401, "Unauthorized", "send `Authorization: Bearer <SEGUE_INGEST_TOKEN>`")
    content_type = request.headers.get("content-type", "")
    attributes = {name: text for name, text in request.headers.items() if name.startswith("ce-")}
    if content_type.startswith(STRUCTURED):
        attributes = {"content-type": content_type}
    elif "ce-type" not in attributes:
        raise EventInvalidError("neither a ce-type header nor a structured CloudEvent")
    return await _publish(attributes, request.body, deps)


# -- webhooks -----------------------------------------------------------------------------------


async def _hook(source: str, request: Request, deps: Deps) -> Response:
    if source not in deps.gate.hook_secrets:
        return _problem(404, "NotFound", f"no secret is set for hook {source!r}")
    if not deps.gate.signed(source, request.headers, request.body, deps.clock.now()):
        return _problem(401, "Unauthorized", "the signature is missing, wrong or too old")
    body = _object(request.body)
    if source == SLACK and body.get("type") == "url_verification":
        return Response(200, {"challenge": str(body.get("challenge", ""))})
    event_type, event_id = _slack(body) if source == SLACK else _generic(request, body)
    attributes = {
        "ce-type": f"{source}.{event_type}",
        "ce-source": f"/hooks/{source}",
        "ce-id": event_id or ids.digest(source, _stamp(request), request.body.hex()),
    }
    return await _publish(attributes, request.body, deps)


def _slack(body: Mapping[str, Any]) -> tuple[str, str | None]:
    inner = body.get("event")
    kind = inner.get("type") if isinstance(inner, dict) else body.get("type")
    event_id = body.get("event_id")
    return str(kind or "received"), str(event_id) if event_id else None


def _generic(request: Request, body: Mapping[str, Any]) -> tuple[str, str | None]:
    kind = request.headers.get("x-segue-event") or body.get("type") or "received"
    return str(kind), request.headers.get("x-segue-id")


def _stamp(request: Request) -> str:
    headers = request.headers
    return headers.get("x-segue-timestamp", headers.get("x-slack-request-timestamp", ""))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventInvalidError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise EventInvalidError("the body is not a JSON object")
    return value


# -- out ----------------------------------------------------------------------------------------


async def _publish(attributes: Mapping[str, str], body: bytes, deps: Deps) -> Response:
    """Checks the event as `route` will, publishes it, and answers with its ids."""
    now = deps.clock.now()
    checked = from_message(attributes, body, message_id=_NOT_YET, published_at=now)
    sent = {**attributes, **_trace(attributes)}
    [message_id] = await deps.bus.publish("events", [Message(body, sent)])
    event = checked
    if checked.id == _NOT_YET:  # it brought no id: the message's id is its own
        event = from_message(attributes, body, message_id=message_id, published_at=now)
    return Response(202, _ids(event))


def _ids(event: Event) -> dict[str, str]:
    return {
        "event_id": event.id,
        "event_key": event.key,
        "type": event.type,
        "source": event.source,
        "correlation_id": event.correlation_id,
    }


def _trace(attributes: Mapping[str, str]) -> dict[str, str]:
    """The sender's trace, from the CloudEvents distributed-tracing extension."""
    given = attributes.get("ce-traceparent", "")
    return {"traceparent": given} if parse_traceparent(given) else {}


def _refusal(status: int, error: SegueError) -> Response:
    return _problem(status, error.code, str(error))


def _problem(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
