"""Finds the chunks of a collection that are nearest to a query.

Decides what a search's templates must give; the order of chunks is the store's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.delivery.retrieval.embedding import embedded
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.records import chunks_path
from shared.domain.retrieval.searches import Found, Retrieval, Search, within_budget
from shared.domain.retrieval.splitting import tokens_in
from shared.errors import ExpressionError
from shared.ports import Condition, Near, Nearest

_ROUNDED = 6  # digits of a score


async def retrieve(
    deps: Deps,
    spent: Spent,
    asked: Retrieval,
    collection: Collection,
    variables: Mapping[str, Any],
    *,
    seconds: float,
) -> dict[str, Json]:
    """What the query of a step or prompt finds. Raises ExpressionError, and what `search` does."""
    query = _query(asked, variables)
    return await search(deps, spent, (asked, query), collection, variables, seconds=seconds)


async def search(
    deps: Deps,
    spent: Spent,
    wanted: tuple[Search, str],
    collection: Collection,
    variables: Mapping[str, Any],
    *,
    seconds: float,
) -> dict[str, Json]:
    """{chunks, query, tokens} of a query; what was found is noted as the step's sources.

    Raises ExpressionError, IndexMissingError, StoreUnavailableError and what embedding raises.
    """
    asked, query = wanted
    where = tuple(_condition(name, value, variables) for name, value in asked.where.items())
    answer = await embedded(deps, spent, collection, [query], purpose="query", seconds=seconds)
    least = asked.min_similarity
    near = await deps.store.nearest(
        Nearest(
            chunks_path(collection.collection),
            answer.vectors[0],
            asked.top_k,
            where,
            within=None if least is None else 1 - least,
        )
    )
    chunks = within_budget(map(_found, near), asked.max_tokens)
    spent.sources = [*(spent.sources or ()), *(one.id for one in chunks)]
    return {
        "chunks": [one.model_dump(mode="json") for one in chunks],
        "query": query,
        "tokens": sum(tokens_in(one.text) for one in chunks),
    }


def _query(asked: Retrieval, variables: Mapping[str, Any]) -> str:
    query = fill(asked.query, variables)
    if not isinstance(query, str) or not query.strip():
        raise ExpressionError("`retrieve.query` gives no text to search for")
    return query


def _condition(name: str, value: Json, variables: Mapping[str, Any]) -> Condition:
    wanted = fill(value, variables)
    if not isinstance(wanted, str | int | float):
        raise ExpressionError(f"`retrieve.where.{name}` gives no text, number or boolean")
    return (f"metadata.{name}", "==", wanted)


def _found(near: Near) -> Found:
    data = near.document.data
    return Found(
        id=near.document.name,
        document=data["document"],
        text=data["text"],
        score=round(1 - near.distance, _ROUNDED),
        metadata=data["metadata"],
    )
