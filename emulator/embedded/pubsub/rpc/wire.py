"""Times and spans between protobuf and the broker's whole microseconds.

Decides which of them are malformed. Must not know topics or subscriptions.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from emulator.embedded.messages import Timestamp
from emulator.embedded.pubsub.model import SECOND
from emulator.embedded.refusal import Refusal, Status, invalid

# https://protobuf.dev/reference/protobuf/google.protobuf/ gives the ranges of both.
_LONGEST_SPAN = 315_576_000_000
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
_NANOS = 1_000_000_000


def span(duration: Any, field: str) -> int:
    """A Duration in microseconds, rounded towards zero; refuses one that is out of its range."""
    seconds, nanos = duration.seconds, duration.nanos
    if abs(seconds) > _LONGEST_SPAN or abs(nanos) >= _NANOS or seconds * nanos < 0:
        raise invalid(f"The value for {field} is not a valid Duration.")
    return int(seconds) * SECOND + int(nanos / 1000)


def optional_span(message: Any, field: str) -> int | None:
    """The span in a field of a message; None where the field is not set."""
    return span(getattr(message, field), field) if message.HasField(field) else None


def put_span(duration: Any, microseconds: int) -> None:
    """Write a span into a Duration, and mark it as set even where it is zero."""
    duration.SetInParent()
    duration.seconds, rest = divmod(microseconds, SECOND)
    duration.nanos = rest * 1000


def moment(timestamp: Any, request: str) -> int:
    """A Timestamp in microseconds since 1970; refuses one that is out of its range."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if not (_EARLIEST <= seconds <= _LATEST and 0 <= nanos < _NANOS):
        raise invalid(
            f"An invalid time was specified in the {request}. See definition of Timestamp."
        )
    return int(seconds) * SECOND + int(nanos) // 1000


def timestamp(microseconds: int) -> Any:
    """A Timestamp of microseconds since 1970."""
    seconds, rest = divmod(microseconds, SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def refuse_set(message: Any, fields: Container[str]) -> None:
    """Refuse what the engine does not do, where a request asks for it."""
    for field, _ in message.ListFields():
        if field.name in fields:
            what = f"{message.DESCRIPTOR.name}.{field.name}"
            raise Refusal(Status.UNIMPLEMENTED, f"{what} is not supported by the embedded engine.")
