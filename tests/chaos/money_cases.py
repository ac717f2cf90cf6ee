"""A flow whose budget is used up: what it could not ask for is what it would have been told.

What it searches for is not there, and costs something all the same.
"""

from __future__ import annotations

from shared.domain.budgets.declared import most_input
from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.domain.retrieval.collection import Collection
from shared.ports import ModelReply
from shared.prompting.library import read_flow
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, library, prompt

LONGEST = 100
DEAR = prompt("dear", "{{ text }}", parameters={"max_output_tokens": LONGEST})
DOCS = Collection(collection="docs", dimensions=8)
STEPS = """
    each:
      foreach: event.data
      prompt: dear
      with: {text: "{{ item }}"}
      fallback: {value: {text: told}}
    look:
      retrieve: {collection: docs, query: nothing}
      fallback: {value: {chunks: [], query: nothing, tokens: 0}}
    last: {needs: [each, look], prompt: dear, with: {text: x}, fallback: {value: {text: told}}}
"""
FLOW = f"""
flow: thrifty
on: {{event: {EVENT}}}
budget: {{tokens: 400}}
steps:{STEPS}
outputs: {{told: "{{{{ each | length }}}} {{{{ last.text }}}}"}}
"""
THRIFTY_FLOW = read_flow(FLOW, "thrifty.yaml", {"dear": DEAR}, collections={"docs": DOCS})


def _dearest(request: ModelRequest) -> ModelReply:
    """Each call costs all that it may cost: two of them fit."""
    tokens = Tokens(input=most_input(request), output=LONGEST)
    return ModelReply("told", tokens, request.model, "stop")


def _model() -> ScriptedModel:
    return ScriptedModel(default=_dearest)


THRIFTY = Case.revised(
    "thrifty",
    library(THRIFTY_FLOW),
    EVENT,
    ["a", "b", "c"],
    model=_model,
)
