"""How a core's records are written to a file: as JSON that a person can read, and back unchanged.

Decides only the form. What JSON lacks is an object with one member whose name begins with `$`.
Must not know what a record means, nor where it is kept.
"""

from __future__ import annotations

import base64
import importlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

# The records a core may put and what they are made of, by module. A name once written stays.
KNOWN = {
    "emulator.embedded.pubsub.model": (
        *("Message", "Topic", "RetryPolicy", "DeadLetterPolicy", "Push"),
        *("Subscription", "Snapshot"),
    ),
    "emulator.embedded.pubsub.records": (
        *("CountersRecord", "TopicRecord", "SubscriptionRecord", "MessageRecord"),
        *("WaitingRecord", "SnapshotRecord"),
    ),
    "emulator.embedded.firestore.values": ("Timestamp", "Reference", "GeoPoint", "Vector"),
    "emulator.embedded.firestore.model": ("Document",),
}


def encode(record: Any) -> str:
    """One line of JSON. Raises TypeError for what is no known record or value."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(text: str) -> Any:
    """What `encode` was given, type by type. Raises ValueError for anything it did not write."""
    try:
        return _revived(json.loads(text))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a record of this version: {error!r}") from error


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case list():
            return [_plain(item) for item in value]
        case tuple():
            return {"$tuple": [_plain(item) for item in value]}
        case Mapping():
            return _plain_mapping(value)
        case set() | frozenset():
            return {"$set": sorted((_plain(item) for item in value), key=json.dumps)}
    return _plain_record(value)


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    if all(isinstance(name, str) and not name.startswith("$") for name in value):
        return {name: _plain(item) for name, item in value.items()}
    return {"$map": [[_plain(name), _plain(item)] for name, item in value.items()]}


def _plain_record(value: Any) -> dict[str, Any]:
    name = type(value).__name__
    if _classes().get(name) is not type(value):
        raise TypeError(f"a {type(value).__qualname__} is no known record or value")
    return {f"${name}": {part: _plain(getattr(value, part)) for part in _parts(name)}}


def _revived(value: Any) -> Any:
    if isinstance(value, list):
        return [_revived(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag, *others = value or ("",)
    if not tag.startswith("$"):
        return {name: _revived(item) for name, item in value.items()}
    if others:
        raise ValueError(f"{tag} stands beside {others}")
    return _of_tag(tag, value[tag])


def _of_tag(tag: str, inner: Any) -> Any:
    match tag:
        case "$float":
            return float(inner)
        case "$bytes":
            return base64.b64decode(inner, validate=True)
        case "$tuple":
            return tuple(_revived(item) for item in inner)
        case "$map":
            return {_revived(name): _revived(item) for name, item in inner}
        case "$set":
            return frozenset(_revived(item) for item in inner)
    made = _classes()[tag[1:]]
    return made(**{name: _revived(item) for name, item in inner.items()})


@cache
def _classes() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module, names in KNOWN.items():
        loaded = importlib.import_module(module)
        found |= {name: getattr(loaded, name) for name in names}
    assert all(map(is_dataclass, found.values()))
    return found


@cache
def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.name for part in fields(_classes()[name]))
