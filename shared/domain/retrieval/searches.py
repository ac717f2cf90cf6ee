"""What is asked of a collection, as flows and prompts declare it, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from shared.domain.expressions import names
from shared.domain.model import Declared, Json, Wire
from shared.domain.retrieval.collection import COLLECTION_NAME
from shared.domain.retrieval.splitting import tokens_in

RETRIEVED = "retrieved"  # the chunks, as a prompt with `retrieve` sees them


class Search(Declared):
    """Where is searched, and how much is given of what is found."""

    collection: str = Field(pattern=COLLECTION_NAME, description="Name of a collection.")
    top_k: int = Field(5, ge=1, le=50, description="The most chunks that are given.")
    where: dict[str, Json] = Field(
        default_factory=dict,
        description="Values or templates by metadata field; a chunk must have all of them.",
    )
    min_similarity: float | None = Field(
        None, ge=-1, le=1, description="Chunks that are less like the query are left out."
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Chunks are given, the best first, as long as they fit into this."
    )

    @property
    def reads(self) -> frozenset[str]:
        """Variables that its templates refer to."""
        return names(list(self.where.values()))


class Retrieval(Search):
    """The chunks of a collection that are nearest to a query."""

    query: str = Field(description="Template: what is searched for.")

    @property
    def reads(self) -> frozenset[str]:
        return super().reads | names(self.query)


class Embedding(Declared):
    """Texts whose vectors are made and kept for the chunks of a collection."""

    collection: str = Field(description="Name of a collection, or a template for one.")
    texts: Json = Field(description="Template for a list of texts.")

    @property
    def reads(self) -> frozenset[str]:
        return names([self.collection, self.texts])


class Found(Wire):
    """A chunk that was retrieved; `score` is the cosine of its angle to the query."""

    id: str
    document: str
    text: str
    score: float
    metadata: dict[str, Json] = Field(default_factory=dict)


def within_budget(found: Iterable[Found], most: int | None) -> list[Found]:
    """As many of the best as fit, whole: what follows one that does not fit is left out, too."""
    kept: list[Found] = []
    room = most
    for one in found:
        if room is not None:
            room -= tokens_in(one.text)
            if room < 0:
                break
        kept.append(one)
    return kept


def citation_problem(
    schema: dict[str, Any] | None, answer: Any, found: frozenset[str]
) -> str | None:
    """What is wrong with the `sources` of an answer whose schema has them, if anything.

    Names no more than how many: what a model made up is no text for logs.
    """
    if "sources" not in (schema or {}).get("properties", {}) or not isinstance(answer, dict):
        return None
    cited = answer.get("sources")
    given = cited if isinstance(cited, list) else []
    wrong = [one for one in given if not isinstance(one, str) or one not in found]
    if not wrong:
        return None
    known = ", ".join(sorted(found)) or "none, as nothing was found"
    return f"cites {len(wrong)} sources that were not retrieved; those retrieved are: {known}"
