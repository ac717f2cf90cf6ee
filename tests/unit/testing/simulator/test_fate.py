"""Misfortune follows its odds, is spared and ends as it should, and repeats with its seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.testing.simulator.fate import Fate
from shared.testing.simulator.instance import CURRENT, Instance, Killed, Work
from shared.testing.simulator.virtual_loop import VirtualLoop, run
from shared.testing.simulator.weather import Odds, Outage

Make = Callable[..., Fate]


def strikes(fate: Fate, times: int, odds: float = 1.0) -> list[bool]:
    return [fate.strikes(odds, "death", "somebody") for _ in range(times)]


def test_misfortune_ends(fate: Make) -> None:
    assert strikes(fate(most=2), 4) == [True, True, False, False]


def test_the_first_misfortunes_can_be_spared(fate: Make) -> None:
    assert strikes(fate(most=2, spared=3), 6) == [False, False, False, True, True, False]


def test_what_is_impossible_never_happens(fate: Make) -> None:
    assert strikes(fate(), 50, odds=0.0) == [False] * 50


def test_the_same_seed_draws_the_same(fate: Make) -> None:
    one, other = fate(), fate()
    assert strikes(one, 100, 0.3) == strikes(other, 100, 0.3)
    assert (one.token(), one.below(9), one.seconds(1, 2)) == (
        other.token(),
        other.below(9),
        other.seconds(1, 2),
    )


def test_misfortune_is_told_and_counted(fate: Make) -> None:
    foul = fate()
    foul.strikes(1.0, "stall", "act#1", "stands still")
    assert [(line.who, line.kind, line.what) for line in foul.story.lines] == [
        ("act#1", "misfortune", "stands still")
    ]
    assert foul.met == {"stall": 1}


@pytest.mark.parametrize("kind", ["refused", "aborted", "lost", "repeated"])
def test_each_fault_follows_its_odds(fate: Make, kind: str) -> None:
    async def main(_loop: VirtualLoop) -> set[str]:
        foul = fate(store=Odds(**{kind: 1.0}))
        return {foul.fault("store", "the commit", "act#1") for _ in range(20)}

    assert run(main) == {kind}


def test_an_outage_refuses_from_its_start_to_its_end(fate: Make) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        foul, seen = fate(most=0, outage=Outage("bus", 10, 20)), []
        for at in (9.0, 10.0, 29.0, 31.0):
            await _until(loop, at)
            seen.append((at, foul.fault("bus", "the publish", "act#1")))
            assert foul.fault("store", "the commit", "act#1") == "none"
        return seen

    assert run(main) == [(9.0, "none"), (10.0, "refused"), (29.0, "refused"), (31.0, "none")]


async def _until(loop: VirtualLoop, at: float) -> None:
    woken = loop.create_future()
    loop.call_at(at, woken.set_result, None)
    await woken


def test_a_crash_point_kills_the_instance_whose_work_reaches_it(fate: Make) -> None:
    instance = Instance("act#1")
    CURRENT.set(Work(instance, "segue-act", "1", b"", {}, None))
    with pytest.raises(Killed):
        fate(death=1.0).at("worked")
    assert not instance.alive
    CURRENT.set(None)
    fate(death=1.0).at("worked")  # nobody's work
