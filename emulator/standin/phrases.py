"""Plausible strings: by format, by what the property is called, and from the text that was asked.

Pure and deterministic; decides nothing about the shape of an answer.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

JsonObject = dict[str, Any]

_EPOCH = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_MINUTES_IN_A_YEAR = 525_600
_SHORT, _LONG = 6, 14
_FILLER = " and so on"


def gist(text: str, words: int) -> str:
    """Return the first words of a text as one line, without the punctuation that ends them."""
    found = text.split()
    return " ".join(found[:words]).rstrip(".,;:!?") or "nothing in particular"


def spoken(text: str) -> str:
    """Answer a text without a schema: short, and about what was asked."""
    return f"In short: {gist(text, _LONG)}. This answer comes from the local stand-in."


def phrase(schema: JsonObject, path: tuple[object, ...], seed: str, number: int) -> str:
    """Return a string for a schema; `number` is what makes neighbours differ."""
    made = _FORMATS.get(str(schema.get("format")))
    if made is not None:
        return made(number)
    name = next((str(step) for step in reversed(path) if not _is_index(step)), "")
    ordinal = f" #{number % 10_000}" if path and _is_index(path[-1]) else ""
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    return _fitted(_worded(name, schema, seed), ordinal, low, high)


def _worded(name: str, schema: JsonObject, seed: str) -> str:
    lowered = name.lower()
    for words, wording in _WORDINGS:
        if words.search(lowered):
            return wording.format(short=gist(seed, _SHORT), long=gist(seed, _LONG))
    about = schema.get("description") or schema.get("title") or name.replace("_", " ")
    return f"{gist(str(about), _LONG)}: {gist(seed, _SHORT)}" if about else gist(seed, _LONG)


def _fitted(text: str, ending: str, low: int, high: int | None) -> str:
    """Make the text as long as it must be, never losing the ending that makes it unique."""
    while len(text) + len(ending) < low:
        text += _FILLER
    if high is None or len(text) + len(ending) <= high:
        return text + ending
    room = high - len(ending)
    return text[:room] + ending if room > 0 else ending[len(ending) - high :]


def _is_index(step: object) -> bool:
    # A repeated try at an array item has a path such as "1.7".
    return isinstance(step, int) or re.fullmatch(r"\d+\.\d+", str(step)) is not None


def _moment(number: int) -> datetime:
    return _EPOCH + timedelta(minutes=number % _MINUTES_IN_A_YEAR)


_FORMATS: dict[str, Callable[[int], str]] = {
    "date-time": lambda number: _moment(number).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "date": lambda number: _moment(number).strftime("%Y-%m-%d"),
    "time": lambda number: _moment(number).strftime("%H:%M:%SZ"),
    "duration": lambda number: f"PT{number % 90 + 1}M",
    "email": lambda number: f"person{number % 10_000}@example.com",
    "uuid": lambda number: str(uuid.UUID(int=number << 64 | number, version=4)),
    "uri": lambda number: f"https://example.com/{number % 10_000}",
    "hostname": lambda number: f"host-{number % 10_000}.example.com",
    "ipv4": lambda number: f"192.0.2.{number % 254 + 1}",
    "ipv6": lambda number: f"2001:db8::{number % 65_535 + 1:x}",
}
_WORDINGS = (
    (re.compile(r"subject|title|headline"), "About: {short}"),
    (re.compile(r"summary|abstract|gist"), "In short: {long}."),
    (re.compile(r"text|body|reply|message|answer|content"), 'Regarding "{short}": {long}.'),
    (re.compile(r"reason|rationale|explanation|why"), "Because the request says: {long}."),
    (re.compile(r"(^|_)name$"), "Ada Example"),
    (re.compile(r"language|locale"), "en"),
    (re.compile(r"country"), "NL"),
    (re.compile(r"currency"), "EUR"),
)
