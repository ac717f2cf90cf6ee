"""Ports in memory as a client's."""

from __future__ import annotations

import pytest

from shared.delivery.deps import Deps
from shared.prompting.library import NO_LIBRARY
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World


@pytest.fixture
def world() -> World:
    return World(NO_LIBRARY)


@pytest.fixture
def deps(world: World) -> Deps:
    return world.deps(read_stages().stages["route"], lambda: "token")
