"""A step that cannot go on yet, through no fault of its own: it is put off, and taken up again."""

from __future__ import annotations

from datetime import datetime

from shared.domain.budgets.records import MoreAsked
from shared.errors import Transient


class StepDeferred(Transient):
    """The step waits, holds no compute, and is taken up again."""

    def __init__(self, detail: str, until: datetime, asks: MoreAsked | None = None) -> None:
        super().__init__(detail)
        self.until = until
        self.asks = asks
