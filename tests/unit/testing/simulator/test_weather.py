"""A seed means the same weather everywhere, and seeds together mean all kinds of it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

from shared.testing.simulator.weather import CALM, Weather, weather_of

TELL = "from shared.testing.simulator.weather import weather_of; print(weather_of(17))"


def test_a_seed_means_the_same_in_every_process() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", TELL], check=True, capture_output=True, env={"PYTHONHASHSEED": n}
        ).stdout.decode()
        for n in ("1", "2")
    ]
    assert told == [f"{weather_of(17)}\n"] * 2


def test_every_kind_of_weather_comes_up() -> None:
    seen = [weather_of(seed) for seed in range(300)]
    for field in fields(Weather):
        assert len({repr(getattr(weather, field.name)) for weather in seen}) > 1, field.name


def test_some_days_are_fair() -> None:
    assert any(weather_of(seed).most == 0 for seed in range(300))


def test_nothing_goes_wrong_where_it_is_calm() -> None:
    assert (CALM.most, CALM.outage, CALM.garbage, CALM.deploys) == (0, None, False, False)
