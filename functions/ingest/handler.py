"""Lets events in over HTTP: checks who sends, normalises what is sent, publishes, answers 202.

Ids are derived from the event, so a repeated request is answered with the same ones and `route`
drops it; a CloudEvent without an id gets one before it is published, so that one 202 is one event.
Knows no flow and stores nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from functions.ingest.approvals import asking, decision_in, event_of, refusing, thanks
from shared.delivery.arrival import Arrival
from shared.delivery.deps import Deps
from shared.delivery.requests import Request, Response, problem, serve
from shared.domain import ids
from shared.domain.commands import OWN
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES, STRUCTURED, Event, from_message
from shared.domain.links import read
from shared.domain.webhooks import SLACK, scheme_of
from shared.errors import EventInvalidError, EventTooLargeError


async def handle(request: Request, deps: Deps, *, request_trace: str | None = None) -> Response:
    """202 with the event's ids; 400, 401, 404, 405, 413, 500 or 503 with what is wrong."""
    return await serve(request, deps, _routed, request_trace=request_trace)


async def _routed(request: Request, deps: Deps, arrival: Arrival) -> Response:
    parts = [part for part in request.path.split("/") if part]
    if len(parts) >= 2 and parts[-2] == "approvals":
        return await _approval(parts[-1], request, deps, arrival)
    is_hook = len(parts) >= 2 and parts[-2] == "hooks"
    if not is_hook and parts[-1:] != ["events"]:
        return problem(404, "NotFound", "send events to POST /events or POST /hooks/<source>")
    if request.method != "POST":
        return problem(405, "MethodNotAllowed", "events are sent with POST")
    if len(request.body) > MAX_DATA_BYTES * 2:
        raise EventTooLargeError(f"a body of {len(request.body):,} bytes")
    if is_hook:
        return await _hook(parts[-1], request, deps, arrival)
    return await _event(request, deps, arrival)


# -- CloudEvents --------------------------------------------------------------------------------


async def _event(request: Request, deps: Deps, arrival: Arrival) -> Response:
    if not deps.gate.admits(request.headers.get("authorization", "")):
        return problem(401, "Unauthorized", "send `Authorization: Bearer <SEGUE_INGEST_TOKEN>`")
    content_type = request.headers.get("content-type", "")
    attributes = _ce_headers(request)
    if content_type.startswith(STRUCTURED):
        attributes = {"content-type": content_type}
    elif "ce-type" not in attributes:
        raise EventInvalidError("neither a ce-type header nor a structured CloudEvent")
    return await _publish(attributes, request.body, deps, arrival)


def _ce_headers(request: Request) -> dict[str, str]:
    """The binary mode's attributes, percent-decoded: CloudEvents HTTP binding 1.0.2, 3.1.3.2."""
    headers = request.headers.items()
    return {name: unquote(text) for name, text in headers if name.startswith("ce-")}


# -- webhooks -----------------------------------------------------------------------------------


async def _hook(source: str, request: Request, deps: Deps, arrival: Arrival) -> Response:
    if source not in deps.gate.hook_secrets:
        return problem(404, "NotFound", f"no secret is set for hook {source!r}")
    if not deps.gate.signed(source, request.headers, request.body, deps.clock.now()):
        return problem(401, "Unauthorized", "the signature is missing, wrong or too old")
    body = _object(request.body)
    if source == SLACK and body.get("type") == "url_verification":
        return Response(200, {"challenge": str(body.get("challenge", ""))})
    event_type, event_id = _slack(body) if source == SLACK else _generic(body)
    attributes = {
        "ce-type": f"{source}.{event_type}",
        "ce-source": f"/hooks/{source}",
        "ce-id": event_id or _signed_id(source, request),
    }
    return await _publish(attributes, request.body, deps, arrival)


def _slack(body: Mapping[str, Any]) -> tuple[str, str | None]:
    inner = body.get("event")
    kind = inner.get("type") if isinstance(inner, dict) else body.get("type")
    event_id = body.get("event_id")
    return str(kind or "received"), str(event_id) if event_id else None


def _generic(body: Mapping[str, Any]) -> tuple[str, str | None]:
    event_id = body.get("id")
    return str(body.get("type") or "received"), event_id if isinstance(event_id, str) else None


def _signed_id(source: str, request: Request) -> str:
    """An id of what is signed and nothing else: who repeats a captured request repeats its id."""
    stamp = request.headers.get(scheme_of(source).timestamp_header, "")
    return ids.digest(source, stamp, request.body.hex())


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventInvalidError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise EventInvalidError("the body is not a JSON object")
    return value


# -- approvals ----------------------------------------------------------------------------------


async def _approval(token: str, request: Request, deps: Deps, arrival: Arrival) -> Response:
    """The page of a signed link, and what is said on it. The address is a secret: not logged."""
    arrival.path = "/approvals/…"
    link = read(token, deps.gate.link_secrets)
    if link is None:
        return _no_page(404, "NotFound", "This link is not valid", "Ask for another one.")
    if link.is_over(deps.clock.now()):
        return _no_page(410, "Expired", "This link is too old", "Ask for another one.")
    if request.method in {"GET", "HEAD"}:
        return Response(200, {}, asking(link))
    decision = decision_in(request.body) if request.method == "POST" else None
    if decision is None:
        return _no_page(400, "DecisionInvalid", "Nothing was decided", "Open the link again.")
    attributes, data = event_of(link, decision)
    event = from_message(attributes, data, message_id="", published_at=deps.clock.now())
    trace = arrival.brings(event, attributes)
    message = Message(data, {**attributes, "traceparent": trace.traceparent})
    [arrival.message_id] = await deps.bus.publish("events", [message])
    return Response(202, _ids(event), thanks(decision))


def _no_page(status: int, code: str, title: str, why: str) -> Response:
    return replace(problem(status, code, title), page=refusing(title, why))


# -- out ----------------------------------------------------------------------------------------


async def _publish(
    attributes: Mapping[str, str], body: bytes, deps: Deps, arrival: Arrival
) -> Response:
    """Checks the event as `route` will, publishes it, and answers with its ids."""
    now = deps.clock.now()
    fresh = f"{deps.new_token()}{deps.new_token()}"
    event = from_message(attributes, body, message_id=fresh, published_at=now)
    if event.type.startswith(OWN):
        raise EventInvalidError(f"types that begin with {OWN!r} are not taken from outside")
    if event.id == fresh:  # it brought none; known by message ids, a retried publish would be two
        attributes, body = _with_id(attributes, body, fresh)
        event = from_message(attributes, body, message_id=fresh, published_at=now)
    trace = arrival.brings(event, attributes)
    message = Message(body, {**attributes, "traceparent": trace.traceparent})
    [arrival.message_id] = await deps.bus.publish("events", [message])
    return Response(202, _ids(event))


def _with_id(
    attributes: Mapping[str, str], body: bytes, event_id: str
) -> tuple[Mapping[str, str], bytes]:
    """The event with an id of its own: in the body in structured mode, else as an attribute."""
    if "content-type" not in attributes:
        return {**attributes, "ce-id": event_id}, body
    given = {**json.loads(body.decode("utf-8-sig")), "id": event_id}
    return attributes, json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()


def _ids(event: Event) -> dict[str, str]:
    return {
        "event_id": event.id,
        "event_key": event.key,
        "type": event.type,
        "source": event.source,
        "correlation_id": event.correlation_id,
    }
