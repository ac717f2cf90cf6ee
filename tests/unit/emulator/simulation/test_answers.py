"""A simulated model says what the stand-in would, and the same each time it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.simulation.answers import answer
from shared.domain.agents.conversation import Said
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRequestError
from shared.ports import ModelReply


def asking(text: str, prompt: str = "my/own", schema: dict[str, Any] | None = None) -> ModelRequest:
    return ModelRequest(
        model="m",
        messages=(("user", text),),
        output_schema=schema,
        labels={"segue-prompt": prompt},
    )


def text_of(request: ModelRequest) -> str:
    said = answer(request)
    assert isinstance(said, str)
    return said


def test_the_rules_of_the_stand_in_come_first() -> None:
    request = asking("I was charged twice!", "support/classify", {"type": "object"})
    assert json.loads(text_of(request))["category"] == "billing"


def test_rules_with_several_answers_always_give_the_first() -> None:
    request = asking("pirates", "joke/write")
    assert answer(request) == answer(request)


def test_other_answers_are_made_up_from_the_schema() -> None:
    score = {"type": "integer", "minimum": 3, "maximum": 3}
    schema = {"type": "object", "required": ["score"], "properties": {"score": score}}
    assert json.loads(text_of(asking("x", schema=schema))) == {"score": 3}
    assert "the weather" in text_of(asking("Tell me about the weather"))


def test_a_repaired_answer_is_the_one_that_was_asked_for() -> None:
    request = asking("I was charged twice!", "support/classify", {"type": "object"})
    turns = (*request.messages, ("model", "nonsense"), ("user", "Answer again."))
    assert answer(request.model_copy(update={"messages": turns})) == answer(request)


def test_calls_of_tools_go_by_what_was_said_so_far() -> None:
    asked = "provider: T001\ndate: 2025-11-21\nreason: sick"
    first = answer(asking(asked, "healthcare/orchestrator"))
    assert isinstance(first, ModelReply)
    [call] = first.calls
    assert (call.name, call.args["provider_id"]) == ("get_affected_appointments", "T001")
    assert first.said is not None
    found = {"functionResponse": {"id": call.id, "name": call.name, "response": {"count": 0}}}
    since = (first.said, Said(role="user", parts=(found,)))
    request = asking(asked, "healthcare/orchestrator").model_copy(update={"said": since})
    assert json.loads(text_of(request))["total_affected"] == 0


def test_a_turn_that_is_to_be_repaired_asks_for_the_same_calls() -> None:
    request = asking("provider: T001\ndate: 2025-11-21\n", "healthcare/orchestrator")
    wrong = [("model", "nonsense"), ("user", "Answer again.")]
    since = tuple(Said(role=role, parts=({"text": text},)) for role, text in wrong)
    assert answer(request.model_copy(update={"said": since})) == answer(request)


def test_a_schema_without_an_instance_is_refused() -> None:
    with pytest.raises(ModelRequestError, match="no whole number fits"):
        answer(asking("x", schema={"type": "integer", "minimum": 2, "maximum": 1}))
