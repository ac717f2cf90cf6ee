"""A tick of Cloud Scheduler brings no id: the guarantees hold all the same, and not by luck."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

import functions.route.handler
import shared.delivery.letters.keeping
from shared.domain.starts.schedules import DUE
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from shared.testing.simulator.endings import Ending
from shared.testing.simulator.simulation import Simulation, calm
from shared.testing.simulator.weather import CALM, Outage, Weather
from tests.chaos.simulations import platform
from tests.functional.system import echoing, flow, library

ON = "on: {schedule: {cron: '0 3 * * *', data: {report: daily}}}"
CASE = Case.revised(
    "nightly",
    library(
        flow(
            """
            a: {prompt: say, with: {text: "{{ event.data.report }}"}}
            b: {needs: a, call: test.echo, with: {value: "{{ event.subject }}"}}
            """,
            name="nightly",
            more=f"{ON}\noutputs: {{a: '{{{{ a.text }}}}', b: '{{{{ b }}}}'}}",
        ),
        flow("a: {call: test.echo}", name="other", more=ON),
    ),
    DUE,
    {"report": "daily"},
    model=lambda: ScriptedModel(default=echoing),
    scheduled="nightly",
)
# Pub/Sub gives a tick up before the store is back.
GIVEN_UP = replace(CALM, events=1, most=10_000, outage=Outage("store", 0, 7200))


@pytest.fixture(scope="module")
def endings() -> Mapping[str, Ending]:
    """Of the stages as they are."""
    verdict = calm(CASE, platform())
    assert verdict.violations == ()
    return verdict.endings


def broken(seed: int, endings: Mapping[str, Ending], weather: Weather | None = None) -> list[str]:
    """What a seed breaks."""
    simulation = Simulation(CASE, seed, platform(), weather=weather, endings=endings)
    return [str(violation) for violation in simulation.play().violations]


def test_two_ticks_are_two_runs_of_their_flow_alone(endings: Mapping[str, Ending]) -> None:
    assert [run_id.rpartition("-")[0] for run_id in endings] == ["nightly"] * 2
    outputs = [json.loads(ending["outputs"]) for ending in endings.values()]
    assert outputs == [{"a": "a(daily)", "b": "nightly"}] * 2


@pytest.mark.parametrize("seed", range(30))
def test_every_guarantee_holds_of_ticks(seed: int, endings: Mapping[str, Ending]) -> None:
    assert broken(seed, endings) == []


def test_a_tick_that_is_given_up_and_redriven_is_still_the_same(
    endings: Mapping[str, Ending],
) -> None:
    assert broken(0, endings, GIVEN_UP) == []


def test_a_route_that_gives_a_tick_no_id_is_found_out(
    endings: Mapping[str, Ending], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions.route.handler, "tick_id", lambda _attributes, _at: None)
    twice = replace(CALM, events=1, publications=2)
    assert any("should not be there" in told for told in broken(0, endings, twice))


def test_a_letter_that_loses_the_ticks_id_is_found_out(
    endings: Mapping[str, Ending], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.delivery.letters.keeping, "tick_id", lambda _attributes, _at: None)
    assert any("should not be there" in told for told in broken(0, endings, GIVEN_UP))
