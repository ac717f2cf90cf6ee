"""An event: what happened, with its CloudEvents 1.0 attributes; decides what counts as one.

Knows the three accepted forms (ce-* attributes, plain attributes, structured JSON), not who sends.
Source: CloudEvents 1.0 specification, JSON event format and Pub/Sub protocol binding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isinf
from typing import Any

from pydantic import Field, ValidationError, field_validator

from shared.domain import ids
from shared.domain.model import Json, Wire
from shared.domain.starts.priorities import carried_priority
from shared.errors import EventInvalidError, EventTooLargeError

MAX_DATA_BYTES = 900 * 1024  # leaves room for the other fields in a Firestore document of 1 MiB
MAX_DEPTH = 100  # of nested data; readers of JSON give up at 200, and envelopes nest it deeper
MAX_EXTENSIONS = 80  # Pub/Sub takes 100 attributes; the rest is for the pipeline's own
MAX_HOPS = 25  # events derived from events; more is a loop
HOPS = "segue-hops"  # attribute: how many events lie between this one and the first
REDRIVE = "segue-redrive"  # attribute: how often an operator has sent this message again
ONLY_FLOW = "segue-flow"  # attribute: the event is offered to this flow alone
STRUCTURED = "application/cloudevents+json"
TYPE_PATTERN = r"^[^\s*?\[\]]+$"
_CORE = ("id", "type", "source", "time", "subject", "datacontenttype", "dataschema", "specversion")
_OWN = frozenset({*_CORE, "correlationid", "causationid", "traceparent", "tracestate"})


class Event(Wire):
    """One event. `key` names its document; (source, id) is its identity."""

    key: str
    id: str = Field(min_length=1, max_length=1024)
    type: str = Field(min_length=1, max_length=256, pattern=TYPE_PATTERN)
    source: str = Field(min_length=1, max_length=1024)
    time: datetime
    subject: str | None = None
    data: Json = None
    correlation_id: str = Field(min_length=1, max_length=256)
    causation_id: str | None = None

    @field_validator("time", mode="before")
    @classmethod
    def _is_a_date(cls, value: object) -> object:
        if isinstance(value, str) and "-" not in value:  # would be read as seconds since 1970
            raise ValueError("an RFC 3339 time looks like 2026-01-31T12:00:00Z")
        return value

    @field_validator("time")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("outside the years 1 to 9999 in UTC") from error

    def variables(self) -> dict[str, Any]:
        """The event as expressions see it."""
        return self.model_dump(mode="json", exclude={"key"})


def from_message(
    attributes: Mapping[str, str], data: bytes, *, message_id: str, published_at: datetime
) -> Event:
    """The event in a message of the entry topic.

    A missing id becomes the Pub/Sub message id, a missing time the publish time.
    Raises EventInvalidError, or EventTooLargeError above MAX_DATA_BYTES.
    """
    if len(data) > MAX_DATA_BYTES:
        raise EventTooLargeError(f"data of {len(data):,} bytes; the limit is {MAX_DATA_BYTES:,}")
    if len(extensions(attributes)) > MAX_EXTENSIONS:
        raise EventInvalidError(f"more than {MAX_EXTENSIONS} extension attributes")
    if (count_in(attributes, HOPS) or 0) > MAX_HOPS:
        raise EventInvalidError(f"it is derived over more than {MAX_HOPS} events: flows in a loop")
    in_order = sorted(attributes.items(), key=lambda pair: pair[0].lower().startswith("ce-"))
    given = {name.lower().removeprefix("ce-"): text for name, text in in_order}  # ce-* wins
    body = _json(data)
    if _is_structured(given, body):
        return from_structured(body, message_id=message_id, published_at=published_at)
    return _event(given, body, message_id, published_at)


def from_structured(body: Json, *, message_id: str, published_at: datetime) -> Event:
    """The event in a CloudEvents JSON object; `data_base64` is refused: data must be JSON."""
    if not isinstance(body, dict):
        raise EventInvalidError("a structured CloudEvent is a JSON object")
    if "data_base64" in body:
        raise EventInvalidError("`data_base64` carries binary data")
    fields = {name: value for name, value in body.items() if name != "data" and value is not None}
    return _event(fields, body.get("data"), message_id, published_at)


def _event(given: Mapping[str, Any], data: Json, message_id: str, at: datetime) -> Event:
    event_id = str(given.get("id") or message_id)
    source = str(given.get("source") or ids.UNNAMED_SOURCE)
    key = ids.event_key(source, event_id)
    if not given.get("type"):
        raise EventInvalidError("the event has no type")
    try:
        return Event(
            key=key,
            id=event_id,
            type=str(given["type"]),
            source=source,
            time=given.get("time") or at,
            subject=given.get("subject"),
            data=data,
            correlation_id=str(given.get("correlationid") or ids.correlation_id(key)),
            causation_id=given.get("causationid"),
        )
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise EventInvalidError(f"attribute `{where}`: {problem['msg']}") from error


def count_in(attributes: Mapping[str, str], name: str) -> int | None:
    """A small count in an attribute; None where there is none or it is not one."""
    text = attributes.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def extensions(attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes carried on to every later stage: those unknown to Segue, and some of its own."""
    return carried_priority(attributes) | {
        name: text
        for name, text in attributes.items()
        if name in {REDRIVE, HOPS}
        or (
            name.lower().removeprefix("ce-") not in _OWN
            and name.lower() != "content-type"
            and not name.startswith(("segue-", "goog", "CloudPubSub"))
        )
    }


def derived(carried: Mapping[str, str]) -> dict[str, str]:
    """The extensions of an event that follows from one, or from a run, that has these.

    Not its redrives: it is an event of its own.
    """
    kept = {name: text for name, text in carried.items() if name != REDRIVE}
    return {**kept, HOPS: str((count_in(carried, HOPS) or 0) + 1)}


def _is_structured(given: Mapping[str, str], body: Json) -> bool:
    if given.get("content-type", "").startswith(STRUCTURED):
        return True
    return "type" not in given and isinstance(body, dict) and "specversion" in body


def _json(data: bytes) -> Json:
    if not data:
        return None
    try:
        return strict_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise EventInvalidError(f"the data is not JSON: {error}") from error


def strict_json(text: str) -> Json:
    """JSON that every store, model and reader takes. Raises ValueError."""
    try:
        body: Json = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested far too deep") from error
    if "\\u" in text:  # an escaped lone surrogate parses, but no store or model takes it
        json.dumps(body, ensure_ascii=False).encode()
    _require_shallow(body)
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text} is too large a number")
    return value


def is_shallow(body: Json) -> bool:
    """Whether a value is nested no more than MAX_DEPTH deep."""
    level = [body]
    for _ in range(MAX_DEPTH):
        lists = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [item for inner in lists if isinstance(inner, list) for item in inner]
    return not level


def _require_shallow(body: Json) -> None:
    if not is_shallow(body):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
