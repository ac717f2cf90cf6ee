"""Laws of agents: the conversation that is told again is the one that was had, in any order."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.agents.conversation import Said
from shared.ports import ModelReply
from tests.functional.agents import agent, asks, model, tools
from tests.functional.system import System

CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.fixed_dictionaries({"n": st.integers(0, 3)})),
        st.tuples(st.just("book"), st.fixed_dictionaries({"n": st.integers(0, 3)})),
        st.tuples(st.just("fly"), st.fixed_dictionaries({"x": st.text(max_size=3)})),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15, deadline=None)
@given(st.lists(CALLS, max_size=4), st.integers(0, 999))
def test_each_turn_sees_all_turns_before_it_and_the_results_of_their_calls(
    turns: list[list[tuple[str, dict[str, object]]]], seed: int
) -> None:
    replies = [asks(*calls, signature=f"s{n}") for n, calls in enumerate(turns)]
    asked = model(*replies, "Done.")
    system = System([agent("tools: [look, book], limits: {repeats: 99}")], model=asked, seed=seed)
    with tools():
        asyncio.run(system.start({"n": 1}))
    assert len(asked.calls) == len(turns) + 1
    for before, after in zip(asked.calls, asked.calls[1:], strict=False):
        reply = replies[len(before.said) // 2]
        _require_to_follow(before.said, after.said, reply)


def _require_to_follow(
    before: tuple[Said, ...], after: tuple[Said, ...], reply: ModelReply
) -> None:
    """One turn more: as the model said it, then an answer to each call, in order."""
    assert after[:-2] == before
    assert after[-2] == reply.said
    told = [part["functionResponse"] for part in after[-1].parts]
    assert [one["name"] for one in told if isinstance(one, dict)] == [
        call.name for call in reply.calls
    ]
