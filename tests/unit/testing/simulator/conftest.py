"""A fate of chosen weather, told into a story that can be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.testing.simulator.fate import Fate
from shared.testing.simulator.story import Story
from shared.testing.simulator.weather import Weather


@pytest.fixture
def fate() -> Callable[..., Fate]:
    """Makes one; every misfortune may strike as often as its odds say."""

    def make(**weather: object) -> Fate:
        given = {"most": 1_000, "latency": 1.0, **weather}
        return Fate(1, Weather(**given), Story(lambda: 0))

    return make
