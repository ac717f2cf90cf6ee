"""What a handler gets and gives back: a delivery with its span, and one word on how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.delivery.scope import trace_of
from shared.domain.envelope import Delivery
from shared.domain.records import Failure, Usage
from shared.ports import ModelCall


@dataclass
class Received:
    """A delivery in hand. The rest is what the log line of this attempt will say about it."""

    delivery: Delivery
    span_id: str
    labels: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None
    calls: Sequence[ModelCall] = ()

    @property
    def trace_id(self) -> str:
        """Of the trace the message belongs to, as far as its correlation is known by now."""
        correlation = self.labels.get("correlation_id", self.delivery.message_id)
        return trace_of(self.delivery.message, correlation).trace_id

    def describe(self, labels: Mapping[str, str], **details: Any) -> None:
        """What the message is about."""
        self.labels.update(labels)
        self.details.update(details)


@dataclass(frozen=True)
class Handled:
    """The message is dealt with and can be acknowledged.

    `failure` is one that needs nobody: the flow provides for it, or the run has ended without it.
    """

    outcome: str
    failure: Failure | None = None
