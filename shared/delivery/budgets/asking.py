"""A step that asks people for more money than its budget has: when it may, and what it says.

How they answer is in `answering`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.delivery.waits.deferring import StepDeferred
from shared.domain.budgets.declared import Account, Amount
from shared.domain.budgets.records import MoreAsked
from shared.domain.records import StepRecord

LONGEST = timedelta(days=7)  # that an answer is waited for


class Asking:
    """What an attempt at a step may ask, by what was asked before, since the step last failed."""

    def __init__(self, record: StepRecord) -> None:
        self._attempt = len(record.attempts)
        asks = record.asks
        since = record.attempts[asks.attempt :] if asks is not None else []
        is_over = any(attempt.outcome == "failed" for attempt in since)
        self._asked = None if is_over else asks

    @property
    def is_open(self) -> bool:
        """Whether there is no answer but that there may be more, and this is not enough."""
        return self._asked is None or self._asked.answer == "approved"

    @property
    def told(self) -> str:
        """Why the step does not ask."""
        if self._asked is None or self.is_open:
            return ""
        if self._asked.answer == "rejected":
            return f"; {self._asked.by or 'somebody'} has rejected more"
        return f"; nobody has allowed more within {LONGEST.days} days"

    def deferred(self, account: Account, lack: Amount, told: str, now: datetime) -> StepDeferred:
        """What puts the step off until somebody answers."""
        asks = MoreAsked(
            account=account.path,
            told=told,
            usd=lack.usd,
            tokens=lack.tokens,
            attempt=self._attempt,
        )
        return StepDeferred(told, now + LONGEST, asks)
