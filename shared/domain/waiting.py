"""What a `wait` step waits for: as it is declared, and as the record of an open one keeps it.

Pure. Whether a declaration makes sense is decided in `shared.prompting.checks.wait`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from shared.domain import ids
from shared.domain.choices import MAPPING, TAG, WORD, one_of
from shared.domain.durations import Seconds, seconds
from shared.domain.events import TYPE_PATTERN
from shared.domain.expressions import names
from shared.domain.model import Declared, Json, Wire

_KEY = "key_"  # what fields of such documents begin with
LONGEST = 366 * 86400.0  # seconds


class GoOnAt(Declared):
    """The run goes on at another step."""

    step: str = Field(description="The step that a timeout starts in place of the successors.")


OnTimeout = Annotated[
    Annotated[Literal["fail", "continue"], Tag(WORD)] | Annotated[GoOnAt, Tag(MAPPING)],
    one_of("fail", "continue", otherwise=GoOnAt),
]


class _Timed(Declared):
    timeout: Seconds | None = Field(None, description="How long it waits at most.")
    on_timeout: OnTimeout = Field(
        "fail",
        description="Then the step fails (`fail`), succeeds with `{timed_out: true}`"
        " (`continue`), or the run goes on at another step (`{step: name}`).",
    )

    @property
    def after_timeout(self) -> str | None:
        """The step that a timeout starts in place of the successors."""
        return self.on_timeout.step if isinstance(self.on_timeout, GoOnAt) else None


class ForApproval(_Timed):
    """Somebody approves or rejects."""

    awaits: Literal["approval"] = Field(alias="for")
    approvers: tuple[str, ...] = Field((), description="Who may; left out: anybody.")
    message: str | None = Field(None, description="Template: what there is to decide.")

    @property
    def reads(self) -> frozenset[str]:
        """Variables of the run that it refers to."""
        return names(self.message)


class ForOutcome(ForApproval):
    """Somebody says of a call of a tool whether it has happened; no flow declares this.

    Approved, it has not and is made; rejected, it is let be.
    """


class ForSignal(_Timed):
    """A signal of a name is sent to the run."""

    awaits: Literal["signal"] = Field(alias="for")
    name: str | None = Field(None, min_length=1, max_length=256, description="Else the step's.")
    data_schema: dict[str, Json] | None = Field(
        None, alias="schema", description="JSON Schema that the signal's data must fit."
    )

    @property
    def reads(self) -> frozenset[str]:
        """Variables of the run that it refers to."""
        return frozenset()


class ForEvent(_Timed):
    """An event of a type happens that belongs to the run, by a key."""

    awaits: Literal["event"] = Field(alias="for")
    type: str = Field(pattern=TYPE_PATTERN, description="CloudEvents type, without wildcards.")
    key: str = Field(description="Expression over the `event` that is awaited.")
    equals: Json = Field(description="Value or template over the run: what the key must be.")
    where: str | None = Field(
        None, description="Expression over the awaited `event` and the run's steps."
    )

    @property
    def reads(self) -> frozenset[str]:
        """Variables of the run that it refers to."""
        condition = names(self.where, expression=True) if self.where else frozenset()
        return names(self.equals) | (condition - {"event"})


class ForDuration(Declared):
    """Time passes."""

    awaits: Literal["duration"] = Field(alias="for")
    duration: str | None = Field(None, description="How long, e.g. 10m; may be a template.")
    until: str | None = Field(None, description="Until when, RFC 3339; may be a template.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.duration is None) == (self.until is None):
            raise ValueError("a wait for a duration has exactly one of: duration, until")
        return self

    @field_validator("duration")
    @classmethod
    def _is_a_length(cls, text: str | None) -> str | None:
        if text is not None and "{" not in text:
            length_of(text)
        return text

    @field_validator("until")
    @classmethod
    def _is_a_moment(cls, text: str | None) -> str | None:
        if text is not None and "{" not in text:
            moment_of(text)
        return text

    @property
    def timeout(self) -> None:
        """It has none: it ends with its time."""
        return

    @property
    def after_timeout(self) -> None:
        """It has no timeout."""
        return

    @property
    def reads(self) -> frozenset[str]:
        """Variables of the run that it refers to."""
        return names([self.duration, self.until])


KINDS: Mapping[str, type[Declared]] = {
    "approval": ForApproval,
    "signal": ForSignal,
    "event": ForEvent,
    "duration": ForDuration,
}


def _kind(value: Any) -> str | None:
    given = value.get("for") if isinstance(value, Mapping) else getattr(value, "awaits", None)
    return f"{TAG}{given}" if isinstance(given, str) and given in KINDS else None


Wait = Annotated[
    Annotated[ForApproval, Tag(f"{TAG}approval")]
    | Annotated[ForSignal, Tag(f"{TAG}signal")]
    | Annotated[ForEvent, Tag(f"{TAG}event")]
    | Annotated[ForDuration, Tag(f"{TAG}duration")],
    Discriminator(
        _kind,
        custom_error_type="wait_kind",
        custom_error_message="a wait is `for` one of: approval, signal, event, duration",
    ),
]


class Awaited(Wire):
    """What an open wait waits for, as its record keeps it.

    outcome: that somebody says whether the call of a tool has happened.
    name: of the signal, an approval's too. told: what there is to decide. until: when its time
    is up, whether or not somebody still looks for that. settled_by: the key of
    the event that has ended it; `past` are those that ended it before a redrive opened it anew.
    """

    what: Literal["approval", "signal", "event", "duration", "outcome"]
    name: str | None = None
    approvers: tuple[str, ...] = ()
    told: str | None = None
    type: str | None = None
    value: Json = None
    until: datetime | None = None
    settled_by: str | None = None
    past: tuple[str, ...] = ()

    @property
    def is_past(self) -> tuple[str, ...]:
        """All that has ended it so far."""
        ended = () if self.settled_by is None else (self.settled_by,)
        return tuple(dict.fromkeys((*self.past, *ended)))


def match_of(event_type: str, key: str, value: Json) -> str:
    """What an awaited event has in common with the waits for it: equal where all three are."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return ids.digest("awaited", event_type, key, canonical)


def awaited_path(event_type: str) -> str:
    """The document that lists the keys by which steps wait for events of a type."""
    return f"waits/{ids.digest('waits', event_type)}"


def listed(wait: ForEvent) -> dict[str, str]:
    """The fields of that document which stand for one wait: written twice, they are the same."""
    return {"type": wait.type, f"{_KEY}{ids.digest(wait.key)}": wait.key}


def keys_in(document: Mapping[str, Any]) -> list[str]:
    """The keys that such a document lists."""
    return sorted(str(key) for name, key in document.items() if name.startswith(_KEY))


def length_of(value: object) -> float:
    """Seconds of a duration as people write it. Raises ValueError."""
    length = seconds(value)
    if isinstance(length, bool) or not isinstance(length, int | float):
        raise ValueError(f"{value!r} is no duration; write 90s, 10m, 24h or 7d")  # noqa: TRY004
    if not 0 <= length <= LONGEST:
        raise ValueError(f"{value!r} is not between 0s and 366d")
    return float(length)


def moment_of(value: object) -> datetime:
    """An RFC 3339 time, in UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            raise ValueError("it names no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is no time like 2026-01-31T12:00:00Z: {error}") from error
