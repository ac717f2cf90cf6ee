"""One stage over ports in memory, and a step to work on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.delivery.deps import Deps
from shared.domain.envelope import ActTask, Delivery, Envelope, Message, RunPins
from shared.domain.stages import Stage
from shared.domain.version import FlowVersion
from shared.prompting.library import Library
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World

SENT_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def version() -> FlowVersion:
    step = {"action": "log.write", "with": {"message": "{{ first.text }}"}}
    flow = {
        "flow": "f",
        "on": {"event": "t"},
        "steps": {"first": step | {"with": {"message": "m"}}, "second": step | {"needs": "first"}},
    }
    return FlowVersion.model_validate({"flow": flow})


@pytest.fixture
def world(version: FlowVersion) -> World:
    return World(Library({"f": version}, {}, ()))


@pytest.fixture
def stage() -> Stage:
    return read_stages().stages["act"]


@pytest.fixture
def deps(world: World, stage: Stage) -> Deps:
    tokens = itertools.count(1)
    return world.deps(stage, lambda: f"token-{next(tokens)}")


@pytest.fixture
def envelope(version: FlowVersion) -> Envelope:
    pins = RunPins(
        id="run-1",
        flow="f",
        version=version.version,
        revision="1",
        event_key="event-1",
        event_id="event-1",
        correlation_id="story-1",
    )
    return Envelope(id="message-1", cause="event-1", run=pins, step="first", task=ActTask())


@pytest.fixture
def delivered(envelope: Envelope) -> Callable[..., Delivery]:
    """A delivery of the envelope, or of any other bytes."""

    def deliver(data: bytes | None = None, attributes: Any = None, **about: Any) -> Delivery:
        message = Message(envelope.encode() if data is None else data, attributes or {})
        given = {"message_id": "m-1", "subscription": "segue-act", "attempt": 1, **about}
        return Delivery(message=message, published_at=SENT_AT, **given)

    return deliver
