"""Documents that are in their collections when a simulation begins.

Put there as the flow that fills collections would; nothing goes wrong with that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.delivery.retrieval.embedding import keep_vectors
from shared.delivery.retrieval.filling import Change, apply, missing_texts
from shared.domain.model import Json
from shared.domain.retrieval.collection import Collection

_SECONDS = 60.0  # more than it takes


@dataclass(frozen=True)
class Shelved:
    """A document, whole."""

    collection: Collection
    document: str
    text: str
    metadata: Mapping[str, Json] = field(default_factory=dict)


async def shelve(one: Shelved, deps: Deps) -> None:
    """Puts it, with vectors by `deps.embedder`."""
    change = Change(
        one.collection, one.document, deps.clock.now(), one.text, dict(one.metadata), "before"
    )
    texts = await missing_texts(change, deps.store)
    await keep_vectors(deps, Spent(), one.collection, texts, seconds=_SECONDS)
    await apply(change, deps)
