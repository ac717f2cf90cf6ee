"""Agents as they are declared and named, their limits, and what their models are told of calls."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.agents.conversation import ToolCall
from shared.domain.agents.declared import Limits
from shared.domain.agents.notes import TurnTaken, answers, breach, is_repeated, same_before, told
from shared.domain.flow import Flow
from shared.domain.instances import Instance, Part, by_part, instance_of
from shared.domain.step import AgentStep


def call(name: str = "look", call_id: str | None = None, **args: Any) -> ToolCall:
    return ToolCall(name=name, args=args, id=call_id)


def taken(*calls: ToolCall, before: int = 0, earlier: tuple[ToolCall, ...] = ()) -> TurnTaken:
    return TurnTaken(calls=calls, before=before, same=same_before(earlier, calls))


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("help", Instance("help")),
        ("help[3]", Instance("help", 3)),
        ("help[turn-3]", Instance("help", part=Part(3))),
        ("help[turn-3.call-0]", Instance("help", part=Part(3, 0))),
        ("help[turn-0]", Instance("help[turn-0]")),
        ("help[turn-3.call-01]", Instance("help[turn-3.call-01]")),
    ],
)
def test_an_instance_has_one_name(name: str, instance: Instance) -> None:
    assert instance_of(name) == instance
    assert str(instance) == name


def test_a_turn_comes_before_its_calls() -> None:
    names = ["h[turn-1]", "h[turn-1.call-0]", "h[turn-1.call-10]", "h[turn-2]", "h[turn-10]"]
    assert sorted(map(instance_of, reversed(names)), key=by_part) == list(map(instance_of, names))


FLOW = Flow.model_validate(
    {
        "flow": "f",
        "on": {"event": "e"},
        "steps": {
            "help": {
                "agent": "p",
                "tools": ["look", {"tool": "pay", "approval": {"when": "args.n > limit.n"}}],
                "timeout": "5m",
                "on_error": "continue",
                "fallback": {"value": 1},
                "retry": {"attempts": 2},
            }
        },
    }
)


def test_what_holds_for_an_agent_as_a_whole_does_not_hold_for_its_parts() -> None:
    whole, part = FLOW.declared("help"), FLOW.declared("help[turn-2]")
    assert (whole.timeout, whole.survives) == (300, True)
    assert (part.timeout, part.survives, part.fallback) == (None, False, None)
    assert part.retry == whole.retry


def test_each_part_has_its_stage_and_the_whole_has_none() -> None:
    stages = [FLOW.stage(f"help[{part}]") for part in ("turn-1", "turn-2", "turn-2.call-0")]
    assert stages == ["compose", "generate", "act"]
    assert [FLOW.is_opened(name) for name in ("help", "help[turn-1]")] == [True, False]


def test_the_condition_of_an_approval_reads_variables_but_its_own() -> None:
    assert FLOW.steps["help"].texts_read == {"limit"}


@pytest.mark.parametrize(
    ("tools", "told_of"),
    [
        ([{"approval": "always"}], "tool"),
        ([{"tool": "pay", "approval": "never"}], "always, {when"),
        ([7], "the name of a tool"),
        ([{"tool": "pay", "timeout": "1h"}], "270"),
    ],
)
def test_a_tool_that_cannot_be_read_is_refused(tools: list[Any], told_of: str) -> None:
    with pytest.raises(ValidationError, match=told_of):
        AgentStep.model_validate({"agent": "p", "tools": tools})


def test_the_same_is_the_same_tool_with_the_same_arguments() -> None:
    earlier = (call(n=1, m=2), call(n=2), call("send", n=1))
    calls = (call(m=2, n=1), call(n=3), call(n=3), call("send", n=1))
    assert same_before(earlier, calls) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("limits", "turn", "turn_taken", "code"),
    [
        (Limits(turns=3), 2, taken(call()), None),
        (Limits(turns=3), 3, taken(call()), "AgentTurns"),
        (Limits(turns=3), 3, taken(), "AgentTurns"),  # only asked where it has calls
        (Limits(calls=4), 1, taken(call(n=1), call(n=2), before=2), None),
        (Limits(calls=3), 1, taken(call(n=1), call(n=2), before=2), "AgentCalls"),
        (Limits(repeats=2), 1, taken(call(), earlier=(call(), call())), None),
        (Limits(repeats=2), 1, taken(call(), earlier=(call(),) * 3), "AgentRepeats"),
    ],
)
def test_a_limit_is_broken_by_what_is_beyond_it(
    limits: Limits, turn: int, turn_taken: TurnTaken, code: str | None
) -> None:
    found = breach(limits, turn, turn_taken)
    assert (None if found is None else found.code) == code


def test_a_repetition_is_answered_once_before_it_is_too_much() -> None:
    limits = Limits(repeats=2)
    asked = [taken(call(), earlier=(call(),) * n) for n in range(4)]
    assert [is_repeated(limits, one, 0) for one in asked] == [False, False, True, True]
    assert [breach(limits, 1, one) is None for one in asked] == [True, True, True, False]


def test_results_go_back_by_name_and_id_in_the_order_of_the_calls() -> None:
    said = answers([call(call_id="a"), call("pay")], [{"n": 1}, [1, 2]])
    assert (said.role, said.parts) == (
        "user",
        (
            {"functionResponse": {"name": "look", "response": {"n": 1}, "id": "a"}},
            {"functionResponse": {"name": "pay", "response": {"result": [1, 2]}}},
        ),
    )


def test_a_call_is_told_in_one_short_line() -> None:
    assert told(call(n=1)) == 'look({"n": 1})'
    assert len(told(call(text="x" * 9000))) < 210
