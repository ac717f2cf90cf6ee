"""A document is put into a collection under misfortune, and found there."""

from __future__ import annotations

from shared.domain.retrieval.collection import Collection
from shared.prompting.library import Library, read_flow
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT

_DOCS = {"docs": Collection(collection="docs")}
_FLOW = f"""
flow: shelf
on: {{event: {EVENT}}}
steps:
  split:
    call: retrieval.split
    with: &document
      collection: docs
      document: "{{{{ event.id }}}}"
      at: "{{{{ event.time }}}}"
      text: "All about {{{{ event.id }}}}."
  embed:
    needs: split
    foreach: split.batches
    embed: {{collection: docs, texts: "{{{{ item }}}}"}}
  put: {{needs: embed, action: collection.put, with: *document}}
  look:
    needs: put
    retrieve: {{collection: docs, query: "about {{{{ event.id }}}}", top_k: 1}}
outputs: {{found: "{{{{ look.chunks[0].text }}}}"}}
"""
PUT = Case(
    "shelf", Library({"shelf": read_flow(_FLOW, "shelf.yaml", {}, None, {}, _DOCS)}, {}, ()), EVENT
)
