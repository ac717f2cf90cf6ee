"""A flow whose budget is used up: what it could not ask for is what it would have been told."""

from __future__ import annotations

from shared.domain.budgets.declared import most_input
from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, flow, library, prompt

LONGEST = 100
DEAR = prompt("dear", "{{ text }}", parameters={"max_output_tokens": LONGEST})
STEPS = """
    each:
      foreach: event.data
      prompt: dear
      with: {text: "{{ item }}"}
      fallback: {value: {text: told}}
    last: {needs: each, prompt: dear, with: {text: x}, fallback: {value: {text: told}}}
"""
MORE = "budget: {tokens: 400}\noutputs: {told: '{{ each | length }} {{ last.text }}'}"


def _dearest(request: ModelRequest) -> ModelReply:
    """Each call costs all that it may cost: two of them fit."""
    tokens = Tokens(input=most_input(request), output=LONGEST)
    return ModelReply("told", tokens, request.model, "stop")


def _model() -> ScriptedModel:
    return ScriptedModel(default=_dearest)


THRIFTY = Case.revised(
    "thrifty",
    library(flow(STEPS, DEAR, name="thrifty", more=MORE)),
    EVENT,
    ["a", "b", "c"],
    model=_model,
)
