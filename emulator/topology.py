"""Topics and subscriptions that the stage table calls for: what Terraform plans, as plain data.

Pure; knows no client and no engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.domain.stages import Stage
from shared.domain.starts.priorities import NORMAL, Priority
from shared.runtime.stage_table import StageTable

BURY = "bury"


@dataclass(frozen=True)
class Subscription:
    """A subscription; `push_to` None means pull. It never expires."""

    name: str
    topic: str
    push_to: str | None
    ack_deadline: int
    min_backoff: float
    max_backoff: float
    dead_letter_topic: str | None = None
    max_attempts: int | None = None
    filter: str = ""
    ordering: bool = False


@dataclass(frozen=True)
class Topology:
    """Names are complete, prefix included."""

    topics: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]


def topology(table: StageTable, base_url: str) -> Topology:
    """The whole of Pub/Sub for a table whose stages are served under `base_url`/<stage>.

    Every dead-letter topic has a subscription: Pub/Sub drops what is sent to a topic without one.
    What even `bury` cannot take is parked on a pull subscription of its own dead-letter topic.
    """
    subscriptions = tuple(_subscriptions(table, base_url))
    topics = {subscription.topic for subscription in subscriptions}
    topics |= {s.dead_letter_topic for s in subscriptions if s.dead_letter_topic}
    return Topology(tuple(sorted(topics)), subscriptions)


def without_priorities(table: StageTable) -> StageTable:
    """The same stages with one subscription each: for an engine that ignores filters, where every
    message would come once for each priority.
    """
    plain = {
        name: stage.model_copy(update={"priorities": False}) for name, stage in table.stages.items()
    }
    return replace(table, stages=plain)


def _subscriptions(table: StageTable, base_url: str) -> Iterator[Subscription]:
    bury = table.stages[BURY]
    for stage in table.stages.values():
        if stage.trigger != "topic":
            continue
        for priority, chosen in stage.filters.items():
            name = subscription_name(stage, priority)
            own = _push(table.prefix, stage, f"{stage.topic}", name, base_url)
            yield replace(own, filter=chosen, ordering=stage.ordering)
        yield _push(table.prefix, bury, stage.dead_letter_topic, stage.dead_letter_topic, base_url)
    yield Subscription(
        name=f"{table.prefix}-{bury.dead_letter_topic}",
        topic=f"{table.prefix}-{bury.dead_letter_topic}",
        push_to=None,
        ack_deadline=60,
        min_backoff=10,
        max_backoff=600,
    )


def subscription_name(stage: Stage, priority: Priority = NORMAL) -> str:
    """The stage's, a priority other than normal, and a digest of filter and ordering if any.

    Neither can be changed on a subscription that exists. With another name the change makes a new
    subscription, and what waits in the old one is not lost with it.
    """
    name = stage.name if priority == NORMAL else f"{stage.name}-{priority}"
    chosen = stage.filters[priority]
    if not chosen and not stage.ordering:
        return name
    fixed = f"{chosen}\n{str(stage.ordering).lower()}"
    return f"{name}-{hashlib.sha256(fixed.encode()).hexdigest()[:8]}"


def _push(prefix: str, stage: Stage, topic: str, name: str, base_url: str) -> Subscription:
    assert stage.ack_deadline is not None
    assert stage.retry is not None
    return Subscription(
        name=f"{prefix}-{name}",
        topic=f"{prefix}-{topic}",
        push_to=f"{base_url}/{stage.name}",
        ack_deadline=int(stage.ack_deadline),
        min_backoff=stage.retry.min,
        max_backoff=stage.retry.max,
        dead_letter_topic=f"{prefix}-{stage.dead_letter_topic}",
        max_attempts=stage.max_attempts,
    )
