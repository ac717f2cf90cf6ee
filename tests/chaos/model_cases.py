"""Models that are not well, a quota that makes steps wait, and an answer that is kept."""

from __future__ import annotations

from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.quotas import Quotas
from shared.errors import ModelBusyError
from shared.ports import Model
from shared.testing.memory import Said, ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, echoing, flow, library, prompt

_ILL = 8  # calls that the first model of the chain does not answer: more than open its breaker
_WHO = {"type": "object", "required": ["who"], "properties": {"who": {"type": "string"}}}
KNOWN = prompt("known", "{{ text }}", cache={"ttl": "7d"}, output=_WHO)
SCARCE = prompt("scarce", "{{ text }}", model="scarce-model", output=_WHO)
_STEPS = """
    first: {prompt: known, with: {text: one}}
    each:
      needs: first
      foreach: {in: "range(5)", max_parallel: 2}
      prompt: say
      models: &chain [weak-model, strong-model]
      with: {text: "{{ item }}"}
    again: {needs: first, prompt: known, with: {text: one}}
    few: {foreach: "[1, 2]", prompt: scarce, timeout: 45s, with: {text: "{{ item }}"}}
    rest: {needs: each, wait: {for: duration, duration: 100s}}
    last:
      needs: [rest, again, few]
      prompt: say
      models: *chain
      with: {text: "{{ again.who }}"}
    """


def _model() -> Model:
    """A fresh one, whose weak model gets well."""
    left = iter(range(_ILL))

    def said(request: ModelRequest) -> Said:
        if request.model == "weak-model" and next(left, None) is not None:
            return ModelBusyError("429")
        return echoing(request)

    def who(request: ModelRequest) -> Said:
        return {"who": request.labels["segue-step"]}

    return ScriptedModel({"known": who, "scarce": who}, default=said)


MODELS = Case.revised(
    "models",
    library(flow(_STEPS, KNOWN, SCARCE, name="models", more="outputs: {last: '{{ last.text }}'}")),
    EVENT,
    model=_model,
    quotas=Quotas.model_validate({"models": {"scarce-model": {"requests_per_minute": 1}}}),
)
