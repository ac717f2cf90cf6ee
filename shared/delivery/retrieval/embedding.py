"""Has texts embedded, once: what was embedded before is read, and everything is billed.

Must not know why the texts are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.domain.ids import digest
from shared.domain.model import Json
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.records import vector_path
from shared.domain.retrieval.vectors import Embedded, EmbedRequest, Purpose
from shared.errors import MessageInvalidError, SegueError
from shared.ports import ModelReply, Put

_SHARE = 0.9  # of the time left for the step; the rest is for reading and writing
_STILL_GOOD = timedelta(hours=12)  # a kept vector that expires sooner is made anew


async def embedded(
    deps: Deps,
    spent: Spent,
    collection: Collection,
    texts: Sequence[str],
    *,
    purpose: Purpose,
    seconds: float,
) -> Embedded:
    """A vector for each text, billed to the step, which has a permit for it.

    Raises what `Embedder.embed` and `Permit.ask` do.
    """
    if deps.embedder is None:
        raise MessageInvalidError("this stage has no model that embeds")
    request = EmbedRequest(tuple(texts), collection.model, collection.dimensions, purpose)
    if spent.permit is not None:
        await spent.permit.ask(request)
    try:
        with spent.embedding(deps.embedder, request.model, deps.clock.now) as asked:
            answer = await deps.embedder.embed(request, seconds=seconds * _SHARE)
            asked.reply = ModelReply("", answer.tokens, answer.model)
    except SegueError as error:
        if spent.permit is not None:
            await spent.permit.failed(request, error)
        raise
    spent.model = answer.model
    spent.bill(answer.tokens, deps.embedder.cost(request.model, answer.tokens))
    if spent.permit is not None:
        await spent.permit.answered(request, answer.refusals)
    return answer


async def keep_vectors(
    deps: Deps, spent: Spent, collection: Collection, texts: Sequence[str], *, seconds: float
) -> Json:
    """Makes and keeps the vectors of texts that have none yet. What that cost is in `spent`."""
    paths = {vector_path(collection, digest("text", text)): text for text in texts}
    found = await deps.store.get_many(list(paths))
    good_until = deps.clock.now() + _STILL_GOOD
    kept = {one.path for one in found if one is not None and one.data["expire_at"] > good_until}
    missing = [path for path in paths if path not in kept]
    if missing:
        wanted = [paths[path] for path in missing]
        answer = await embedded(
            deps, spent, collection, wanted, purpose="document", seconds=seconds
        )
        about = {"embedding": collection.embedding, "expire_at": deps.expire_at()}
        made = zip(missing, answer.vectors, strict=True)
        await deps.store.commit([Put(path, {"vector": one, **about}) for path, one in made])
    return {"texts": len(paths)}  # and no more: who repeats after a crash says the same
