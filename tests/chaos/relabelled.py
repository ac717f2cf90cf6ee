"""A flow whose prompt's label is moved while it runs: what was opened says what it began to say."""

from __future__ import annotations

from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, echoing, flow, library

STEPS = """
    a: {prompt: say, with: {text: "{{ event.data.n }}"}}
    b: {needs: a, prompt: say, with: {text: "{{ a.text }}"}}
    c: {needs: a, action: http.request, with: {url: "https://example.com/{{ a.text | length }}"}}
    """
RELABELLED = Case.revised(
    "relabelled",
    library(flow(STEPS, name="relabelled", more="outputs: {b: '{{ b.text }}'}")),
    EVENT,
    {"n": 4},
    model=lambda: ScriptedModel(default=echoing),
    relabels=True,
)
