"""What is kept of money: what is spent and held of each limit, and the hold of each call.

Limits themselves are the flow's, and are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.domain.budgets.declared import NOTHING, Amount
from shared.domain.model import Wire
from shared.domain.recording import Record

RESERVED, SPENT, RAISED = "reserved", "spent", "raised"
BUDGETS = "segue-budgets"  # attribute of a child's event: the runs above it that have budgets
# A hold's `call` where texts are embedded, or a context is kept, which an attempt does not count.
EMBEDDING = 0
MOST_ABOVE = 1024  # bytes of it, as Pub/Sub limits an attribute


def hold_path(run_id: str, step: str) -> str:
    return f"runs/{run_id}/holds/{step}"


@dataclass(frozen=True)
class Owner:
    """A run whose budget a call counts against, and the flow version that says what that is."""

    run: str
    flow: str
    version: str

    def encode(self) -> str:
        return f"{self.run} {self.flow} {self.version}"

    @classmethod
    def decode(cls, text: str) -> Owner | None:
        """None for what is no owner."""
        parts = text.split(" ")
        return cls(*parts) if len(parts) == 3 and all(parts) else None


def owners_in(attributes: Mapping[str, str]) -> list[str]:
    """The budgets above a run, by the attributes of the message that opens it."""
    texts = attributes.get(BUDGETS, "").split(",")
    return [text for text in texts if Owner.decode(text) is not None]


@dataclass(frozen=True)
class Balance:
    """`budgets/{run}` or `budgets/{flow}:{day}`: only ever incremented.

    reserved: by calls in flight. spent: billed, or perhaps billed. raised: what people have added
    to the limit.
    """

    reserved: Amount = NOTHING
    spent: Amount = NOTHING
    raised: Amount = NOTHING

    @classmethod
    def of(cls, counters: Mapping[str, Any]) -> Balance:
        """By the fields of the document, or the counters of an increment."""
        found = {
            kind: Amount(
                int(counters.get(f"usd_{kind}", 0)), int(counters.get(f"tokens_{kind}", 0))
            )
            for kind in (RESERVED, SPENT, RAISED)
        }
        return cls(**found)

    @property
    def taken(self) -> Amount:
        return self.reserved + self.spent


def increments(change: Balance) -> dict[str, int]:
    """The change as counters, those that do not change among them: their values come back."""
    by: dict[str, int] = {}
    for kind, of in ((RESERVED, change.reserved), (SPENT, change.spent), (RAISED, change.raised)):
        by |= {f"usd_{kind}": of.usd, f"tokens_{kind}": of.tokens}
    return by


class HoldRecord(Record):
    """`runs/{run_id}/holds/{step}`: what is reserved for the step's call in flight, in `accounts`.

    `mark` says for which call of which attempt: a lost answer is told from another's hold by it.
    Whoever was to settle it has until `until`; what is left after that, `sweep` counts as spent.
    """

    mark: str
    fence: int
    attempt: int
    call: int
    usd: int
    tokens: int
    accounts: list[str] = Field(default_factory=list)
    until: datetime | None = None
    expire_at: datetime

    @property
    def amount(self) -> Amount:
        return Amount(self.usd, self.tokens)


class MoreAsked(Wire):
    """What a step asks people for, whose call passes a limit: the account, and what it lacks.

    attempt: the one that asks. event: the key of the event that brought the answer.
    """

    account: str
    told: str
    usd: int
    tokens: int
    attempt: int
    answer: Literal["approved", "rejected"] | None = None
    by: str | None = None
    event: str | None = None

    @property
    def lack(self) -> Amount:
        return Amount(self.usd, self.tokens)
