"""Ports in memory as the command line's dependencies."""

from __future__ import annotations

import pytest

from shared.delivery.deps import Deps
from shared.domain.version import FlowVersion
from shared.prompting.library import Library
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World


@pytest.fixture
def version() -> FlowVersion:
    step = {"action": "log.write", "with": {"message": "m"}}
    steps = {"zeta": step, "alpha": {**step, "needs": "zeta"}, "never": {**step, "needs": "alpha"}}
    return FlowVersion.model_validate({"flow": {"flow": "f", "on": {"event": "t"}, "steps": steps}})


@pytest.fixture
def world(version: FlowVersion) -> World:
    return World(Library({"f": version}, {}, ()))


@pytest.fixture
def deps(world: World) -> Deps:
    return world.deps(read_stages().stages["route"], lambda: "token")
