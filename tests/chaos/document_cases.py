"""Documents are put into a collection, changed and removed under misfortune, and searched there.

An agent searches, and hands over to another one by a blackboard.
"""

from __future__ import annotations

from shared.domain.retrieval.collection import Collection, Split
from shared.ports import Model
from shared.prompting.library import Library, read_flow
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.agents import asks, script
from tests.functional.system import EVENT, prompt

_DOCS = {
    "docs": Collection(
        collection="docs", dimensions=32, split=Split(tokens=16), metadata={"kind": "string"}
    )
}
_FLOW = """
flow: shelf
on: {event: thing.happened}
steps:
  split:
    call: retrieval.split
    with: &old
      collection: docs
      document: "{{ event.id }}"
      at: "{{ event.time }}"
      metadata: {kind: "{{ event.id }}"}
      text: |
        Old words are here, that will be gone.

        Here is all about {{ event.id }}, in these words.
  embed: &embed
    needs: split
    foreach: split.batches
    embed: {collection: docs, texts: "{{ item }}"}
  put: {needs: embed, action: collection.put, with: *old}
  copy:
    needs: embed
    action: collection.put
    with: {<<: *old, document: "copy of {{ event.id }}"}
  drop:
    needs: copy
    action: collection.remove
    with: {collection: docs, document: "copy of {{ event.id }}", at: "2099-01-01T00:00:00Z"}
  split_new:
    needs: put
    call: retrieval.split
    with: &new
      <<: *old
      at: "2099-01-01T00:00:00Z"
      text: |
        Here is all about {{ event.id }}, in these words.

        New words that have come since.
  embed_new: {<<: *embed, needs: split_new, foreach: split_new.batches}
  put_new: {needs: embed_new, action: collection.put, with: *new}
  ask:
    needs: [put_new, drop]
    agent: helper
    tools:
      - blackboard_write
      - {collection: docs, as: find, description: Finds., where: {kind: "{{ event.id }}"}}
    hand_offs: {clerk: {agent: clerk, tools: [blackboard_read, blackboard_write]}}
outputs: {said: "{{ ask.text }}"}
"""
_TURNS = (
    asks(
        ("find", {"query": "words about what?"}),
        ("blackboard_write", {"key": "plan", "value": "a"}),
        ("blackboard_write", {"key": "plan", "value": "b"}),
    ),
    asks(("hand_off_to_clerk", {"reason": "the rest"})),
    asks(
        ("blackboard_read", {"key": "plan"}),
        ("blackboard_write", {"key": "note", "value": [1]}),
    ),
    "Done.",
)


def _model() -> Model:
    return ScriptedModel({name: script(*_TURNS) for name in _PROMPTS})


_PROMPTS = {name: prompt(name, f"You are the {name}.") for name in ("helper", "clerk")}
_SHELF = read_flow(_FLOW, "shelf.yaml", _PROMPTS, None, {}, _DOCS)
SHELF = Case("shelf", Library({"shelf": _SHELF}, _PROMPTS, ()), EVENT, model=_model)
