"""Cuts documents for the flow that fills collections, and tells which of their texts are new."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.calls import registered
from shared.delivery.retrieval.filling import Change, missing_texts
from shared.errors import ActionInvalidError, CollectionUnknownError
from shared.typed.work import work_in_hand

_TEXTS = 20  # in a batch, which one request takes
_CHARACTERS = 40_000  # of them together


class Cut(BaseModel):
    """`batches` are the texts that must be embedded before the document can be put."""

    chunks: int
    new: int
    batches: list[list[str]]


@registered("retrieval.split")
async def split(
    collection: str, document: str, text: str, at: datetime, metadata: dict[str, Any] | None = None
) -> Cut:
    """The texts of a document that its collection has no vectors of, in batches."""
    work = work_in_hand()
    if collection not in work.collections:
        raise CollectionUnknownError(repr(collection))
    declared, about = work.collections[collection], metadata or {}
    problem = declared.metadata_problem(about)
    if problem is not None:
        raise ActionInvalidError(problem)
    change = Change(declared, document, at, text, about, work.run_id)
    texts = await missing_texts(change, work.store)
    return Cut(chunks=len(change.chunks), new=len(texts), batches=batches_of(texts))


def batches_of(texts: list[str]) -> list[list[str]]:
    """The texts in order, in batches that a request takes."""
    batches: list[list[str]] = []
    size = 0
    for text in texts:
        if not batches or len(batches[-1]) == _TEXTS or size + len(text) > _CHARACTERS:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return batches
