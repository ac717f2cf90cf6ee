"""What a handler is given: the ports, its own row of the stage table, and nothing global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.delivery.blobs import Blobs
from shared.delivery.models.kept import Kept
from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.domain.stages import Stage
from shared.domain.webhooks import Callers, Gate
from shared.ports import (
    Bus,
    Clock,
    ContextCaches,
    Effects,
    Embedder,
    Model,
    Objects,
    Store,
    Telemetry,
    ToolServers,
)
from shared.prompting.versions import FlowVersions

if TYPE_CHECKING:
    from shared.delivery.rollouts.standings import Read
    from shared.prompting.resolving import Resolver  # only a stage that opens runs has one


@dataclass(frozen=True)
class Deps:
    """Built once per instance by the composition root. Without `resolver` prompts are those that
    are bundled.
    """

    stage: Stage
    store: Store
    objects: Objects
    bus: Bus
    clock: Clock
    telemetry: Telemetry
    flows: FlowVersions
    new_token: Callable[[], str]
    retention: timedelta
    resolver: Resolver | None = None
    model: Model | None = None
    embedder: Embedder | None = None
    contexts: ContextCaches | None = None
    effects: Effects | None = None
    servers: ToolServers | None = None
    gate: Gate = field(default_factory=Gate)
    callers: Callers = field(default_factory=Callers)
    payload_bucket: str | None = None
    kept: Kept = field(default_factory=Kept)
    standings: dict[str, Read] = field(default_factory=dict)  # of rollouts, as last read
    unfit: dict[str, str | None] = field(default_factory=dict)  # why not, by version of a flow
    quotas: Quotas = NO_QUOTAS

    @property
    def blobs(self) -> Blobs:
        """What is too large for a message or a document."""
        return Blobs(self.store, self.objects, self.payload_bucket)

    def expire_at(self) -> datetime:
        """When a record written now may be deleted."""
        return self.clock.now() + self.retention
