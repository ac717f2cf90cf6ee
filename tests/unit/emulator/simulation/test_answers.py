"""A simulated model says what the stand-in would, and the same each time it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.simulation.answers import answer
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRequestError


def asking(text: str, prompt: str = "my/own", schema: dict[str, Any] | None = None) -> ModelRequest:
    return ModelRequest(
        model="m",
        messages=(("user", text),),
        output_schema=schema,
        labels={"segue-prompt": prompt},
    )


def test_the_rules_of_the_stand_in_come_first() -> None:
    request = asking("I was charged twice!", "support/classify", {"type": "object"})
    assert json.loads(answer(request))["category"] == "billing"


def test_rules_with_several_answers_always_give_the_first() -> None:
    request = asking("pirates", "joke/write")
    assert answer(request) == answer(request)


def test_other_answers_are_made_up_from_the_schema() -> None:
    score = {"type": "integer", "minimum": 3, "maximum": 3}
    schema = {"type": "object", "required": ["score"], "properties": {"score": score}}
    assert json.loads(answer(asking("x", schema=schema))) == {"score": 3}
    assert "the weather" in answer(asking("Tell me about the weather"))


def test_a_repaired_answer_is_the_one_that_was_asked_for() -> None:
    request = asking("I was charged twice!", "support/classify", {"type": "object"})
    turns = (*request.messages, ("model", "nonsense"), ("user", "Answer again."))
    assert answer(request.model_copy(update={"messages": turns})) == answer(request)


def test_a_schema_without_an_instance_is_refused() -> None:
    with pytest.raises(ModelRequestError, match="no whole number fits"):
        answer(asking("x", schema={"type": "integer", "minimum": 2, "maximum": 1}))
