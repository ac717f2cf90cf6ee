"""Derives every id from what it identifies: same parent, same child, on every instance."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

UNNAMED_SOURCE = "//segue/unnamed"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,199}")


def digest(*parts: str, length: int = 32) -> str:
    """Hex digest of the parts; parts cannot run into each other."""
    escaped = (part.replace("\x1e", "\x1e0").replace("\x1f", "\x1e1") for part in parts)
    joined = "\x1f".join(escaped)
    return hashlib.sha256(joined.encode()).hexdigest()[:length]


def content_hash(value: Any) -> str:
    """Version of a JSON-like value: equal content, equal version, whatever the key order."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def event_key(source: str, event_id: str) -> str:
    """Document id of an event. CloudEvents 1.0 §3.1 makes (source, id) unique, not the id alone.

    An event that names no source is known by its id; ids unfit for a document name are hashed.
    """
    readable = event_id if _SAFE_ID.fullmatch(event_id) else digest(event_id, length=24)
    if source == UNNAMED_SOURCE and readable == event_id:
        return readable
    return f"{readable}~{digest(source, event_id, length=10)}"


def signal_id(name: str) -> str:
    """Document id of a signal; names unfit for one are hashed."""
    return name if _SAFE_ID.fullmatch(name) else digest("signal", name)


def correlation_id(key: str) -> str:
    """Correlation id of an event that brought none; duplicates of the event agree on it."""
    return digest("correlation", key, length=24)


def run_id(flow: str, key: str) -> str:
    """At most one run for each (flow, event)."""
    return f"{flow}-{digest('run', flow, key, length=16)}"


def message_id(run: str, step: str, stage: str) -> str:
    """Id of the message that hands a step of a run to a stage."""
    return digest("message", run, step, stage, length=24)


def effect_key(run: str, step: str) -> str:
    """Idempotency key that a step shows to the outside; equal for every attempt."""
    return digest("effect", run, step)


def dead_letter_id(stage: str, identity: str, redrives: int) -> str:
    """Same message buried twice: one dead letter. Failed again after a redrive: a new one."""
    return digest("dead-letter", stage, identity, str(redrives), length=24)


def trace_id(correlation: str) -> str:
    """W3C trace id (32 hex digits) of a correlation id that arrived without a traceparent."""
    return digest("trace", correlation)


def span_id(*parts: str) -> str:
    """W3C span id: 16 hex digits."""
    return digest("span", *parts, length=16)
