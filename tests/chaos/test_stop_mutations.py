"""Cancelling and pausing have teeth: without a part of them, a run that is stopped is found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.delivery.commands import cancelling, marking, pausing
from shared.testing.simulator.weather import weather_of
from tests.chaos.mutating import Mutation, Patch, Play, of_case, require_found_out


def a_cancel_forgets_what_has_not_begun(patch: Patch) -> None:
    original = cancelling._mark
    patch.setattr(cancelling, "_mark", lambda deps: replace(original(deps), fresh=None))


def a_cancel_forgets_the_items_under_way(patch: Patch) -> None:
    patch.setattr(marking, "_sent", lambda *_: set())


def a_pause_holds_nothing_back(patch: Patch) -> None:
    patch.setattr(pausing, "held_back", lambda _record: None)
    patch.setattr(pausing, "_HELD", {"held": False})


def a_resumption_sends_nothing(patch: Patch) -> None:
    async def send(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    patch.setattr(pausing, "send_frontier", send)


# By the case that has it.
MUTATIONS = {
    a_cancel_forgets_what_has_not_begun: "join",
    a_cancel_forgets_the_items_under_way: "maps",
    a_pause_holds_nothing_back: "join",
    a_resumption_sends_nothing: "chain",
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_stop_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, _stopped(mutate))


def _stopped(mutate: Mutation) -> Iterator[Play]:
    """Seeds in which somebody stops runs."""
    for play in of_case(MUTATIONS[mutate]):
        weather = weather_of(play.seed)
        if weather.cancels or weather.pauses:
            yield play
