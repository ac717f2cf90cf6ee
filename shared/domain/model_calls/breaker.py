"""A circuit breaker for each model: one that keeps failing is skipped, probed and restored.

Pure (Nygard, Release It!, 2007): what follows is decided from what is stored and the time given.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from shared.domain import ids
from shared.domain.recording import Record

FAILURES, WINDOW = 5, timedelta(seconds=60)  # so many within such a time open it
COOL_DOWN, LONGEST = timedelta(seconds=30), timedelta(minutes=10)
PROBE = timedelta(seconds=60)  # that one call is waited for, before another may try
Verdict = Literal["ask", "probe", "skip"]


def breaker_path(model: str) -> str:
    return f"breakers/{ids.digest('breaker', model)}"


class BreakerRecord(Record):
    """`breakers/{digest of the model}`: written when a model fails, and when it is well again.

    since: the first failure that counts. opened: how often it has opened without having been
    closed; each time it cools down for twice as long. until: nobody asks before that.
    """

    model: str
    failures: int = 0
    since: datetime
    opened: int = 0
    until: datetime | None = None
    expire_at: datetime

    @property
    def is_open(self) -> bool:
        return self.opened > 0

    def verdict(self, now: datetime) -> Verdict:
        """What is to be done with a call. Who is to probe must first win that, by `probed`."""
        if not self.is_open:
            return "ask"
        return "skip" if self.until is not None and now < self.until else "probe"

    def probed(self, now: datetime) -> BreakerRecord:
        """Half open: one call is on its way, and the others wait for what becomes of it."""
        return self.model_copy(update={"until": now + PROBE})

    def failed(self, now: datetime, *, probed: bool = False) -> BreakerRecord:
        """After one more failure; while it is open, only a probe's tells anything new."""
        if self.is_open:
            return self._opened(now) if probed else self
        is_old = now - self.since > WINDOW
        counted = {"failures": 1, "since": now} if is_old else {"failures": self.failures + 1}
        after = self.model_copy(update=counted)
        return after._opened(now) if after.failures >= FAILURES else after  # noqa: SLF001

    def restored(self) -> BreakerRecord:
        """Closed: it has answered."""
        if not self.is_open:
            return self
        return self.model_copy(update={"failures": 0, "opened": 0, "until": None})

    def _opened(self, now: datetime) -> BreakerRecord:
        cool_down = min(COOL_DOWN * 2 ** min(self.opened, 10), LONGEST)
        return self.model_copy(update={"opened": self.opened + 1, "until": now + cool_down})
