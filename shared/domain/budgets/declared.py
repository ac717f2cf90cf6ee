"""What a flow may spend: as it is declared, and the limits that follow for its runs and its days.

Pure. Amounts are whole micro-USD and tokens; what is kept of them is in `budget_records`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from shared.domain.choices import TAG, WORD
from shared.domain.envelope import ModelRequest
from shared.domain.model import Declared

MICRO = 1_000_000  # micro-USD in a USD
SMALLEST = 256  # tokens of the longest answer: a call that leaves less is not worth making
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kM]?)")
_TIMES = {"": 1, "k": 1000, "M": 1_000_000}
# What surrounds a text on its way to a model: the roles, and what stands for tools and schemas.
_AROUND_REQUEST, _AROUND_TEXT = 64, 16


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise ValueError("this is a number of tokens: 5000, 200k or 1.5M")
    return round(float(match[1]) * _TIMES[match[2]])


Count = Annotated[
    int,
    BeforeValidator(_count),
    Field(ge=1, le=10**12),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?[kM]?$", "examples": ["200k"]},
            ]
        }
    ),
]
Usd = Annotated[float, Field(gt=0, le=1_000_000)]


class OtherModel(Declared):
    """Asks a cheaper model."""

    model: str = Field(description="The model that is asked instead, at its own price.")


class Smaller(Declared):
    """Sends less, and asks for less."""

    context: Annotated[Count, Field(ge=2 * SMALLEST)] = Field(
        description="So many tokens at most for a call, what is sent and the answer together."
    )


_RUNGS = ("model", "context")


def _rung(value: Any) -> str | None:
    if isinstance(value, str):
        return WORD if value in {"ask", "stop"} else None
    keys = value if isinstance(value, Mapping) else getattr(value, "model_fields_set", ())
    found = [key for key in _RUNGS if key in keys]
    return f"{TAG}{found[0]}" if len(found) == 1 else None


Rung = Annotated[
    Annotated[Literal["ask", "stop"], Tag(WORD)]
    | Annotated[OtherModel, Tag(f"{TAG}model")]
    | Annotated[Smaller, Tag(f"{TAG}context")],
    Discriminator(
        _rung,
        custom_error_type="rung",
        custom_error_message="this is one of: {model: …}, {context: …}, ask, stop",
    ),
]


class Budget(Declared):
    """What runs of a flow may spend on models, and what happens where a call would pass that."""

    usd: Usd | None = Field(None, description="USD of a run, with all that belongs to it.")
    tokens: Count | None = Field(None, description="Tokens of a run, in and out.")
    usd_per_day: Usd | None = Field(None, description="USD of all runs in a day, UTC.")
    tokens_per_day: Count | None = Field(None, description="Tokens of all runs in a day, UTC.")
    on_breach: tuple[Rung, ...] = Field(
        ("stop",),
        description="What is tried, one after another, before a call that does not fit.",
    )

    @model_validator(mode="after")
    def _limits_something(self) -> Budget:
        if not self.has_usd and self.tokens is None and self.tokens_per_day is None:
            raise ValueError(
                "a budget has at least one of: usd, tokens, usd_per_day, tokens_per_day"
            )
        if not self.on_breach:
            raise ValueError("`on_breach` has at least one of: {model: …}, {context: …}, ask, stop")
        return self

    @property
    def has_usd(self) -> bool:
        """Whether every price must be known."""
        return self.usd is not None or self.usd_per_day is not None

    def accounts(self, run: str | None, flow: str, now: datetime) -> tuple[Account, ...]:
        """What a call of such a run counts against; without a run only that of the flow's day."""
        found = []
        if run is not None and (self.usd is not None or self.tokens is not None):
            found.append(Account(f"budgets/{run}", f"run {run}", _micro(self.usd), self.tokens))
        if self.usd_per_day is not None or self.tokens_per_day is not None:
            day = f"{now:%Y-%m-%d}"
            told = f"flow {flow} on {day}"
            limits = _micro(self.usd_per_day), self.tokens_per_day
            found.append(Account(f"budgets/{flow}:{day}", told, *limits))
        return tuple(found)


@dataclass(frozen=True)
class Amount:
    """Micro-USD and tokens."""

    usd: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.tokens + other.tokens)

    def __neg__(self) -> Amount:
        return Amount(-self.usd, -self.tokens)

    @property
    def is_some(self) -> bool:
        """Whether there is any of it."""
        return self.usd > 0 or self.tokens > 0

    def __str__(self) -> str:
        return f"{_usd(self.usd)} and {self.tokens:,} tokens"


NOTHING = Amount()


@dataclass(frozen=True)
class Account:
    """A limit, and the document that counts what is spent of it. None: unlimited."""

    path: str
    told: str
    usd: int | None
    tokens: int | None

    def lack(self, taken: Amount, raised: Amount) -> Amount:
        """By how much so much passes the limit, as it was raised."""
        usd = 0 if self.usd is None else max(taken.usd - self.usd - raised.usd, 0)
        tokens = 0 if self.tokens is None else max(taken.tokens - self.tokens - raised.tokens, 0)
        return Amount(usd, tokens)

    def of_limit(self, raised: Amount) -> str:
        """The limit in words."""
        usd = [] if self.usd is None else [_usd(self.usd + raised.usd)]
        tokens = [] if self.tokens is None else [f"{self.tokens + raised.tokens:,} tokens"]
        return " and ".join([*usd, *tokens])


def _usd(micro: int) -> str:
    text = f"{micro / MICRO:.6f}".rstrip("0").rstrip(".")
    return f"{text} USD"


def _micro(usd: float | None) -> int | None:
    return None if usd is None else round(usd * MICRO)


def amount(cost_usd: float | None, tokens: int) -> Amount:
    """What a bill comes to, rounded up."""
    return Amount(ceil(round((cost_usd or 0.0) * MICRO, 3)), tokens)


def most_input(request: ModelRequest) -> int:
    """Tokens that a request has at most: its bytes, as no token is shorter, and what is around."""
    texts = [text for _, text in request.messages]
    texts += [said.model_dump_json() for said in request.said]
    texts += [tool.model_dump_json() for tool in request.tools]
    if request.output_schema is not None:
        texts.append(str(request.output_schema))
    size = sum(len(text.encode(errors="replace")) for text in [request.system or "", *texts])
    return size + _AROUND_REQUEST + _AROUND_TEXT * len(texts)


def most_embedded(texts: Sequence[str]) -> int:
    """Tokens that texts have at most, where each may be a request of its own."""
    return sum(len(text.encode(errors="replace")) + _AROUND_TEXT for text in texts)
