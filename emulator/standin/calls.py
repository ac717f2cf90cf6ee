"""Counts the calls the stand-in received, for tests and for the bench.

Keeps totals for ever and the last thousand calls in detail.
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.standin.question import Question

_KEPT = 1000
UNANSWERED = 0


class CallLog:
    """Counts are taken when a call arrives, so one that is never answered counts too."""

    def __init__(self) -> None:
        self._by_prompt: Counter[str] = Counter()
        self._by_model: Counter[str] = Counter()
        self._by_method: Counter[str] = Counter()
        self._last: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def add(self, question: Question, status: int, fault: str | None) -> None:
        """Count one call; status 0 means that no answer is given at all."""
        if question.prompt:
            self._by_prompt[question.prompt] += 1
        self._by_model[question.model] += 1
        self._by_method[question.method] += 1
        self._last.append(
            {
                "model": question.model,
                "method": question.method,
                "prompt": question.prompt,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "status": status,
                "fault": fault,
            }
        )

    def summary(self) -> dict[str, Any]:
        """Return the totals and the latest calls, newest last."""
        return {
            "total": self._by_method.total(),
            "by_prompt": dict(self._by_prompt),
            "by_model": dict(self._by_model),
            "by_method": dict(self._by_method),
            "calls": list(self._last),
        }

    def clear(self) -> None:
        """Forget everything."""
        for counter in (self._by_prompt, self._by_model, self._by_method):
            counter.clear()
        self._last.clear()
