"""Starts the flow that takes over where a rollout's other flow has failed.

The event comes once more, for that flow alone: its run is the one that the event would have had
without the rollout, and there is one of it however often the failure is told.
"""

from __future__ import annotations

import json

from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.domain.envelope import Message
from shared.domain.events import ONLY_FLOW, REDRIVE, Event
from shared.domain.records import EventRecord, RunRecord, RunStatus, event_path
from shared.domain.rollouts.picks import FALLBACK_OF
from shared.ports import Document


async def fall_back(_found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """Publishes the run's event for its fallback; the same failure gives the same message."""
    if run.fallback is None or run.status is not RunStatus.FAILED:
        return True
    found = await deps.store.get(event_path(run.event_key))
    if found is None:  # it has expired
        return True
    event = EventRecord.of(found.data).read()
    data = json.dumps(event.data, ensure_ascii=False).encode()
    await deps.bus.publish("events", [Message(data, _attributes(run, event, run.fallback))])
    return True


def _attributes(run: RunRecord, event: Event, flow: str) -> dict[str, str]:
    given = {"ce-subject": event.subject, "causationid": event.causation_id}
    return {
        **{name: text for name, text in run.extensions.items() if name != REDRIVE},
        **{name: text for name, text in given.items() if text is not None},
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-type": event.type,
        "ce-source": event.source,
        "ce-time": event.time.isoformat(),
        "correlationid": run.correlation_id,
        "traceparent": run.traceparent,
        "content-type": "application/json",
        ONLY_FLOW: flow,
        FALLBACK_OF: run.run_id,
    }
