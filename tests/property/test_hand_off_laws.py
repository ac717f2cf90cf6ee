"""Whatever models ask for, the conversation is with one who may have been handed it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.agents.conversation import ToolCall
from shared.domain.agents.hand_offs import PREFIX, handed_off, speaker_after, targets
from shared.domain.agents.notes import TurnTaken, same_before
from shared.domain.step import AgentStep

NAMES = ("help", "a", "b", "c")
ALLOWED = {"help": {"a", "b", "c"}, "a": {"b"}, "b": {"help", "a", "c"}, "c": set[str]()}
STEP = AgentStep.model_validate(
    {
        "agent": "own",
        "hand_offs": {
            "a": {"agent": "other", "to": ["b"]},
            "b": {"agent": "other"},
            "c": {"agent": "other", "to": []},
        },
    }
)
ARGS = st.sampled_from([{"reason": "x"}, {"reason": "y"}, {"reason": 1}, {}])
CALLS = st.builds(
    lambda name, args: ToolCall(name=name, args=args),
    st.sampled_from([*(PREFIX + name for name in NAMES), PREFIX + "nobody", "look"]),
    ARGS,
)


@settings(max_examples=60)
@given(st.lists(st.lists(CALLS, max_size=4), max_size=6))
def test_it_goes_only_where_it_may(turns: list[list[ToolCall]]) -> None:
    speaker = speaker_after("help", STEP, None)
    assert speaker == "help"
    earlier: list[ToolCall] = []
    for calls in turns:
        same = same_before(earlier, calls)
        taken = TurnTaken(calls=tuple(calls), same=same, speaker=speaker)
        handed, following = handed_off("help", STEP, taken), speaker_after("help", STEP, taken)
        assert set(targets("help", STEP, speaker)) == ALLOWED[str(speaker)]
        assert following == (handed.to or speaker)
        assert handed.to is None or handed.to in ALLOWED[str(speaker)]
        mine = {PREFIX + name for name in ALLOWED[str(speaker)]}
        assert handed.answers.keys() == {i for i, one in enumerate(calls) if one.name in mine}
        said = [one for one in handed.answers.values() if one == {"handed_off_to": handed.to}]
        assert len(said) == (handed.to is not None)
        earlier += calls
        speaker = following
