"""What a model's quota lets through: so much in short windows, shared fairly by flow or key.

Pure. What has been asked in a window is counted in Firestore; what is learnt from refusals too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from shared.domain import ids
from shared.domain.budgets.declared import Count, most_embedded, most_input
from shared.domain.budgets.ladder import LONGEST
from shared.domain.envelope import ModelRequest
from shared.domain.expressions import names
from shared.domain.model import Declared
from shared.domain.recording import Record
from shared.domain.retrieval.vectors import EmbedRequest
from shared.errors import ExpressionError

WINDOW = 10  # seconds; longer where a quota lets less than one request through in that time
LEAST, FULL = 50, 1000  # thousandths of the quota that are used: at worst, and usually
_REGAINED = 50  # thousandths, in a minute without a refusal
_USUAL_ANSWER = 1000  # tokens, where the request does not limit it
_BYTES_A_TOKEN = 4
_ASKS, _TAKEN = "asks_", "taken_"  # fields of a window by sharer: that it asked, what it was given


class OfKey(Declared):
    """Shares by what an expression gives for the event of a run, whatever its flow is."""

    key: str = Field(description="Expression over `event`.", examples=["event.data.customer"])

    @field_validator("key")
    @classmethod
    def _sees_the_event(cls, key: str) -> str:
        try:
            unknown = names(key, expression=True) - {"event"}
        except ExpressionError as error:
            raise ValueError(error.detail) from error
        if unknown:
            told = ", ".join(sorted(unknown))
            raise ValueError(f"`fair.key` is an expression over `event`; there is no {told}")
        return key


class Quota(Declared):
    """What a model takes in a minute, of all flows and instances together."""

    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    tokens_per_minute: Count | None = None
    fair: Literal["flow", "key"] | OfKey = Field(
        "flow",
        description="Who has an equal share: each flow, each key of a flow's own (its `order_by`,"
        " or else the key of its `concurrency`, `rate` or `debounce`), or each value of a `key`.",
    )

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError("a quota has `requests_per_minute`, `tokens_per_minute` or both")
        return self

    @property
    def window(self) -> int:
        """Seconds in which at least one request fits."""
        return max(WINDOW, ceil(60 / (self.requests_per_minute or 60)))


class Quotas(Declared):
    """Quotas by model; others are asked without limit."""

    models: dict[str, Quota] = Field(default_factory=dict)

    def of(self, model: str) -> Quota | None:
        return self.models.get(model.rsplit("/", 1)[-1])


NO_QUOTAS = Quotas()


@dataclass(frozen=True)
class Window:
    """A window of time, by its number, and how much of it has passed, from 0 to 1."""

    number: int
    passed: float
    left: float

    @classmethod
    def at(cls, now: datetime, seconds: int) -> Window:
        number, past = divmod(now.timestamp(), seconds)
        return cls(int(number), past / seconds, seconds - past)


@dataclass(frozen=True)
class Counted:
    """What was asked for in a window, this request among it: in all, and by its own sharer.

    `sharers` are those that have asked of late. `size`: of how many requests it consists.
    """

    requests: int
    tokens: int
    own: int
    sharers: int
    size: int = 1


def admits(quota: Quota, counted: Counted, passed: float, factor: int) -> bool:
    """Whether the request that is counted last may be sent in this window.

    While the first half of a window lasts, each has a share; then all may use what is left.
    What is alone in its window fits into it, however many tokens or requests it has.
    """
    if counted.requests == counted.size:
        return True
    share = quota.window / 60 * factor / FULL
    if quota.requests_per_minute is not None:
        limit = max(int(quota.requests_per_minute * share), 1)
        fair = limit if passed >= 0.5 else ceil(limit / max(counted.sharers, 1))
        if counted.requests > limit or counted.own > fair:
            return False
    if quota.tokens_per_minute is None:
        return True
    return counted.tokens <= quota.tokens_per_minute * share


def spares(quota: Quota, counted: Counted, passed: float, factor: int) -> bool:
    """Whether a request that nobody waits for may be sent: a shadow's, counted last.

    So it may in the second half of a window, while half of what the model takes is left, and where
    the model has not been refusing: whoever has a share has had it, and others find enough.
    """
    if passed < 0.5 or factor < FULL:
        return False
    share = quota.window / 60
    limits = (
        (quota.requests_per_minute, counted.requests),
        (quota.tokens_per_minute, counted.tokens),
    )
    return all(limit is None or 2 * used <= limit * share for limit, used in limits)


@dataclass(frozen=True)
class Wanted:
    """What is to be asked of a model: so many requests, which are likely to come to such tokens.

    A token is taken for four bytes, as it usually is.
    """

    model: str
    tokens: int
    requests: int = 1

    @classmethod
    def of(cls, request: ModelRequest) -> Wanted:
        longest = request.parameters.get(LONGEST)
        answer = longest if isinstance(longest, int) else _USUAL_ANSWER
        return cls(request.model, most_input(request) // _BYTES_A_TOKEN + answer)

    @classmethod
    def embedded(cls, request: EmbedRequest) -> Wanted:
        tokens = most_embedded(request.texts) // _BYTES_A_TOKEN
        return cls(request.model, tokens, request.requests)


def window_path(model: str, number: int) -> str:
    return f"quotas/{ids.digest('quota', model)}:{number}"


def learnt_path(model: str) -> str:
    return f"quotas/{ids.digest('quota', model)}"


def counts(sharer: str | None, tokens: int, requests: int = 1) -> dict[str, int]:
    """What is added to a window; without a sharer it takes nobody's share."""
    own = {f"{_TAKEN}{sharer}": requests, f"{_ASKS}{sharer}": 1} if sharer is not None else {}
    return {"requests": requests, "tokens": tokens, **own}


def taken_back(added: Mapping[str, int]) -> dict[str, int]:
    """The same for one that was not admitted; that its sharer has asked is still known."""
    return {name: -by for name, by in added.items() if not name.startswith(_ASKS)}


def counted_in(counters: Mapping[str, int], before: Mapping[str, Any], size: int = 1) -> Counted:
    """By the counters that so many requests have raised, and the window before theirs."""
    own = next((value for name, value in counters.items() if name.startswith(_TAKEN)), 0)
    asking = {name for name in (*before, *counters) if name.startswith(_ASKS)}
    return Counted(counters["requests"], counters["tokens"], own, len(asking), size)


class LearntRecord(Record):
    """`quotas/{digest of the model}`: how much of its quota a model has turned out to take.

    factor: thousandths, when it was refused last, `at`.
    """

    model: str
    factor: int = FULL
    at: datetime
    expire_at: datetime

    def factor_at(self, now: datetime) -> int:
        """A little more with each minute since the last refusal."""
        minutes = max((now - self.at) / timedelta(minutes=1), 0.0)
        return min(self.factor + int(minutes * _REGAINED), FULL)

    def refused(self, now: datetime) -> LearntRecord | None:
        """Half as much from now on; None where that was learnt just now."""
        if self.factor < FULL and now - self.at < timedelta(seconds=WINDOW):
            return None
        factor = max(self.factor_at(now) // 2, LEAST)
        return self.model_copy(update={"factor": factor, "at": now})
