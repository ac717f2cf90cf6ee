"""Flows with control by key, and how their tests look at who is under way."""

from __future__ import annotations

from collections.abc import Iterator

from shared.domain.records import RunRecord
from shared.domain.version import FlowVersion
from tests.functional.system import EVENT, System, flow

ORDER = "order_by: event.data.key"
TWO = "concurrency: {limit: 2, key: event.data.key}"


def controlled(
    control: str, steps: str = "a: {call: test.echo}\nb: {needs: a, call: test.echo}", **about: str
) -> FlowVersion:
    """A flow of two steps whose runs are controlled so."""
    return flow(steps, more=control, **about)


async def arrive(system: System, event_id: str, key: object = "k") -> None:
    """An event comes and is routed; nothing else happens."""
    await system.publish(EVENT, {"key": key, "id": event_id}, ce_id=event_id)
    await system.pipeline.step("route")


async def tick(system: System, seconds: float = 60) -> None:
    """So much later, sweep looks."""
    system.world.clock.advance(seconds)
    await system.send("sweep", b"", {})
    await system.pipeline.step("sweep")


def by_event(system: System) -> dict[str, RunRecord]:
    return {run.event_id: run for run in system.stored("runs", RunRecord)}


def statuses(system: System) -> dict[str, str]:
    """By event."""
    return {event: run.status.value for event, run in by_event(system).items()}


def sent(system: System) -> list[str]:
    """The events whose runs' first steps were sent, in order."""
    events = {run.run_id: run.event_id for run in system.stored("runs", RunRecord)}
    return list(dict.fromkeys(_sent(system, events)))


def _sent(system: System, events: dict[str, str]) -> Iterator[str]:
    for topic, _, message in system.world.messages.published:
        if topic in {"act", "compose"} and message.attributes.get("segue-step") == "a":
            yield events[message.attributes["segue-run"]]
