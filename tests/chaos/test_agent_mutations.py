"""The case of agents has teeth: their loop without a part of it is found out."""

from __future__ import annotations

from typing import Any

import pytest

from functions.act import tool_calls
from shared.delivery.agents import conversation, delegating, journal, loop
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def a_call_is_made_again_whatever_its_effect(patch: Patch) -> None:
    original = tool_calls._Call.__init__

    def begun(self: Any, *given: Any) -> None:
        original(self, *given)
        self._was_begun = False

    patch.setattr(tool_calls._Call, "__init__", begun)


def a_turn_follows_the_first_call_that_has_ended(patch: Patch) -> None:
    def is_answered(turn: Any) -> bool:
        return any(journal.has_succeeded(call) for call in turn.called)

    patch.setattr(journal.Turn, "is_answered", property(is_answered))


def a_turn_that_has_ended_sends_nothing_again(patch: Patch) -> None:
    original = loop.AgentLoop.ended
    seen: set[tuple[str, str]] = set()

    async def ended(self: Any, of: Any, failure: Any, known: Any) -> Any:
        about = (self._scope.run.id, str(of))
        if about in seen:
            return None
        seen.add(about)
        return await original(self, of, failure, known)

    patch.setattr(loop.AgentLoop, "ended", ended)


def a_hand_off_has_no_effect(patch: Patch) -> None:
    patch.setattr(conversation, "speaker_after", lambda step, *_: step)


def a_call_is_answered_before_its_run_has_ended(patch: Patch) -> None:
    original = delegating.delegate

    async def delegate(*about: Any) -> Any:
        try:
            return await original(*about)
        except delegating.Left as left:
            await left.follow()
            return {"n": 6}

    patch.setattr(delegating, "delegate", delegate)


MUTATIONS = {
    a_call_is_answered_before_its_run_has_ended: of_case("agent"),
    a_hand_off_has_no_effect: of_case("agent"),
    a_call_is_made_again_whatever_its_effect: of_case("agent", since=28),
    a_turn_follows_the_first_call_that_has_ended: of_case("agent"),
    a_turn_that_has_ended_sends_nothing_again: of_case("agent"),
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_an_agent_without_a_part_is_found_out(
    mutate: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_found_out(mutate, monkeypatch, MUTATIONS[mutate])
