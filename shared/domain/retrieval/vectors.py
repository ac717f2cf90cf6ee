"""What a text is to a search: a vector, and what it takes to have one made.

Decides only the form. The similarity of two texts is the cosine of their vectors' angle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.domain.recording import Tokens

MAX_DIMENSIONS = 2048  # of a vector that Firestore holds
MAX_NEAREST = 1000  # documents that one search gives
_PER_REQUEST = 100  # texts of a model that takes several; together it takes 20,000 tokens
Purpose = Literal["document", "query"]  # what is searched, or what is searched for


@dataclass(frozen=True)
class Vector:
    """As a field's value, a vector that documents can be searched by."""

    values: tuple[float, ...]

    def distance(self, other: Vector) -> float:
        """Cosine distance: 0 in the same direction, 2 in the opposite one. Neither is zero."""
        lengths = math.sqrt(_dot(self.values, self.values) * _dot(other.values, other.values))
        return 1.0 - _dot(self.values, other.values) / lengths


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


@dataclass(frozen=True)
class EmbedRequest:
    """Texts to be embedded by one model, all for the same purpose."""

    texts: tuple[str, ...]
    model: str
    dimensions: int
    purpose: Purpose = "document"

    @property
    def per_request(self) -> int:
        """How many of the texts one request to the model's API holds.

        Of a list, gemini-embedding-2 makes one vector, and gemini-embedding-001 takes one text.
        Source: https://cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings
        """
        takes_several = self.model.rsplit("/", 1)[-1].startswith("text-")
        return _PER_REQUEST if takes_several else 1

    @property
    def requests(self) -> int:
        """How many requests it takes."""
        return -(-len(self.texts) // self.per_request)


@dataclass(frozen=True)
class Embedded:
    """One vector a text, in order, and what they were billed as."""

    vectors: tuple[Vector, ...]
    tokens: Tokens
    model: str
    refusals: int = 0  # how often the model had said before that it is asked too much (429)
