"""What a handler gets and gives back: a delivery with its span, and one word on how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.envelope import Delivery
from shared.domain.records import Usage


@dataclass
class Received:
    """A delivery in hand. The rest is what the log line of this attempt will say about it."""

    delivery: Delivery
    span_id: str
    labels: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None

    def describe(self, labels: Mapping[str, str], **details: Any) -> None:
        """What the message is about."""
        self.labels.update(labels)
        self.details.update(details)


@dataclass(frozen=True)
class Handled:
    """The message is dealt with and can be acknowledged."""

    outcome: str
