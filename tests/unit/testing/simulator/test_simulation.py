"""A simulation comes to the right verdict, of the real stages and of broken ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from emulator.simulation.core_engine import core_platform
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.errors import TemplateError
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from shared.testing.simulator.simulation import Simulation, Verdict, calm
from shared.testing.simulator.weather import CALM, weather_of
from tests.functional.system import EVENT, echoing, flow, library

PLATFORM = core_platform()
CASE = Case.revised(
    "two",
    library(
        flow(
            """
            a: {prompt: say, with: {text: hi}}
            b: {needs: a, call: test.echo, with: {value: 1}}
            """,
            more="outputs: {a: '{{ a.text }}'}",
        )
    ),
    EVENT,
    model=lambda: ScriptedModel(default=echoing),
)
FOUL = 26  # a seed of much misfortune


def test_the_real_stages_keep_every_guarantee_in_fair_weather() -> None:
    verdict = calm(CASE, PLATFORM)
    assert verdict.violations == ()
    assert [ending["status"] for ending in verdict.endings.values()] == ["succeeded"] * 2
    assert verdict.statistics == {"deliveries": 8, "model calls": 2}


def test_the_same_seed_tells_the_same_story() -> None:
    one, other = (Simulation(CASE, FOUL, PLATFORM).play() for _ in range(2))
    assert one.story.lines == other.story.lines
    assert one.story.digest() == other.story.digest()
    assert one.statistics == other.statistics


def test_another_seed_tells_another() -> None:
    weather = weather_of(FOUL)
    one, other = (Simulation(CASE, seed, PLATFORM, weather=weather).play() for seed in (1, 2))
    assert one.story.digest() != other.story.digest()


def test_a_deployment_in_the_middle_changes_no_running_run() -> None:
    weather = replace(CALM, deploys=True, latency=1.0, instances=3)
    endings = calm(CASE, PLATFORM).endings
    verdict = Simulation(CASE, 1, PLATFORM, weather=weather, endings=endings).play()
    assert verdict.violations == ()
    assert any(line.what == "deploys new prompts" for line in verdict.story.lines)


Spoil = Callable[[Received, Deps], Awaitable[Handled]]


async def forgets(_received: Received, _deps: Deps) -> Handled:
    return Handled("forgotten")


async def fails(_received: Received, _deps: Deps) -> Handled:
    raise KeyError("a defect")


async def refuses(_received: Received, _deps: Deps) -> Handled:
    raise TemplateError("no")


def spoiled(stage: str, handle: Spoil) -> Verdict:
    """The verdict where a stage does something else."""
    handlers = {**PLATFORM.handlers, stage: handle}
    platform = replace(PLATFORM, handlers=handlers)
    endings = calm(CASE, PLATFORM).endings
    return Simulation(CASE, 0, platform, weather=CALM, endings=endings).play()


@pytest.mark.parametrize(
    ("stage", "handle", "broken"),
    [
        ("route", forgets, "event-stored"),
        ("compose", forgets, "same-ending"),
        ("act", fails, "no-defect"),
        ("compose", refuses, "dead-letters"),
    ],
)
def test_a_stage_that_breaks_a_guarantee_is_found_out(stage: str, handle: Any, broken: str) -> None:
    verdict = spoiled(stage, handle)
    assert broken in {violation.invariant for violation in verdict.violations}
    assert any(line.kind == "violation" for line in verdict.story.lines)


def test_what_not_even_bury_can_take_is_told() -> None:
    handlers = {**PLATFORM.handlers, "compose": refuses, "bury": fails}
    verdict = Simulation(CASE, 0, replace(PLATFORM, handlers=handlers), weather=CALM).play()
    assert "settles" in {violation.invariant for violation in verdict.violations}
