"""A collection as its file declares it: which model embeds it, how its documents are cut.

Decides only what may be written there.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from shared.domain.ids import content_hash
from shared.domain.model import Declared, Json
from shared.domain.retrieval.vectors import MAX_DIMENSIONS

COLLECTION_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
}


class Split(Declared):
    """How a document is cut into chunks. A token is taken to be four bytes of UTF-8."""

    by: Literal["paragraphs", "headings"] = Field(
        "paragraphs",
        description="Where a chunk may end; with `headings` one also begins at each Markdown"
        " heading.",
    )
    tokens: int = Field(400, ge=16, le=2000, description="The most that a chunk has.")
    overlap: int = Field(
        0, ge=0, description="Of them, the most that is repeated from the end of the chunk before."
    )

    @model_validator(mode="after")
    def _leaves_room(self) -> Split:
        if self.overlap * 2 > self.tokens:
            raise ValueError("`overlap` is at most half of `tokens`")
        return self


class Collection(Declared):
    """Documents that can be searched by what they mean."""

    collection: str = Field(pattern=COLLECTION_NAME, description="The collection's name.")
    description: str = ""
    model: str = Field("gemini-embedding-001", description="The model that makes the vectors.")
    dimensions: int = Field(
        768, ge=1, le=MAX_DIMENSIONS, description="Numbers in a vector; there is an index for each."
    )
    split: Split = Split()
    metadata: dict[str, Literal["string", "number", "boolean"]] = Field(
        default_factory=dict, description="What documents say of themselves, and searches ask for."
    )

    @field_validator("metadata")
    @classmethod
    def _usable_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _FIELD.fullmatch(name):
                raise ValueError(f"metadata field {name!r}: use a-z, 0-9 and _")
        return value

    @property
    def embedding(self) -> str:
        """What two vectors must have in common to be compared."""
        return f"{self.model}/{self.dimensions}"

    def digest(self, text: str, metadata: dict[str, Json]) -> str:
        """The version of a document: all that its chunks follow from."""
        return content_hash([text, metadata, self.embedding, self.split.model_dump(mode="json")])

    def metadata_problem(self, metadata: dict[str, Any]) -> str | None:
        """What is wrong with a document's metadata, if anything."""
        for name, value in metadata.items():
            kind = self.metadata.get(name)
            if kind is None:
                known = ", ".join(self.metadata) or "none"
                return f"collection {self.collection!r} declares no metadata {name!r}, but {known}"
            is_fitting = isinstance(value, _KINDS[kind])
            if not is_fitting or (isinstance(value, bool) and kind != "boolean"):
                return f"metadata {name!r} must be a {kind}"
        return None
