"""Rollouts, and a prompt's label that is moved: what was opened says what it began to say.

Events get one of two flows, a prompt one of two models, and a shadow answers what nobody hears.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.domain.envelope import ModelRequest
from shared.domain.rollouts.declared import Rollout
from shared.testing.memory import Said, ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, echoing, flow, library, prompt

STEPS = """
    a: {prompt: say, with: {text: "{{ event.data.n }}"}}
    b: {needs: a, prompt: tell, with: {text: "{{ a.text }}"}}
    c: {needs: a, action: http.request, with: {url: "https://example.com/{{ a.text | length }}"}}
    """
TELL = prompt("tell", "{{ text }}")
_OUTPUTS = "outputs: {b: '{{ b.text }}'}"
_ROLLOUTS: dict[str, dict[str, Any]] = {
    "twins": {
        "of": {"flow": "relabelled"},
        "fallback": "relabelled",
        "canary": {
            "candidate": "twin",
            "share": "50%",
            "guard": [{"metric": "success"}, {"metric": "latency", "range": [0, 600]}],
        },
    },
    "voices": {
        "of": {"model": "say"},
        "split": {"variants": {"gemini-2.5-flash": 50, "other-model": 50}},
    },
    "beside": {"of": {"model": "tell"}, "shadow": {"candidate": "shadow-model"}},
}


def _said(request: ModelRequest) -> Said:
    """A shadow says something else."""
    return "Boo." if request.model == "shadow-model" else echoing(request)


_LIBRARY = replace(
    library(
        flow(STEPS, TELL, name="relabelled", more=_OUTPUTS),
        flow(STEPS, TELL, name="twin", more=f"on: call\n{_OUTPUTS}"),
    ),
    rollouts={
        name: Rollout.model_validate({"rollout": name, **declared})
        for name, declared in _ROLLOUTS.items()
    },
)
RELABELLED = Case.revised(
    "relabelled",
    _LIBRARY,
    EVENT,
    {"n": 4},
    model=lambda: ScriptedModel(default=_said),
    relabels=True,
)
