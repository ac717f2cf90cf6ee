"""One tick: fails runs past their deadline, sends what is due, deletes what has expired.

So much of each a tick. A missed tick loses nothing; the next one finds the same records.
Firestore's own TTL deletes within about a day; this keeps the local system and idempotency honest
in the meantime.
"""

from __future__ import annotations

from contextlib import suppress

from shared.delivery.budgets.leaving import settle_left
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.runs.aftermath import announce, announce_unheard
from shared.delivery.runs.ending import end_of_run
from shared.delivery.starts.collecting import publish_due
from shared.delivery.starts.turns import take_turns
from shared.delivery.telling import tell_ended_run
from shared.delivery.waits.due import take_up_due
from shared.domain.records import Failure, RunRecord, RunStatus
from shared.errors import ObjectsUnavailableError, RunTimeoutError, StaleError
from shared.ports import Delete, Document, Query

TIMEOUTS_A_TICK = 200
EXPIRED_A_TICK = 200
ROLLOUTS_A_TICK = 200
_AT_ONCE = 400  # documents of one run, read and deleted together
EXPIRING = (
    "runs",
    "events",
    "control",
    "collected",
    "dead_letters",
    "blobs",
    "budgets",
    "breakers",
    "cache",
    "comparisons",
)
_INSIDE = {
    "runs": ("steps", "joins", "signals", "context", "progress", "outcomes", "holds", "blackboard")
}


async def handle(received: Received, deps: Deps) -> Handled:
    """Counts what it did in the log line. Raises ObjectsUnavailableError when all else is done."""
    timed_out = [run for run in await _overdue(deps) if await _time_out(run, deps)]
    due = await take_up_due(deps)
    unheard = await announce_unheard(deps)
    begun = await take_turns(deps)
    batches = await publish_due(deps)
    decided = await _decide(deps)
    compared = await _compare(deps)
    settled = await settle_left(deps)
    expired = 0
    unreachable: ObjectsUnavailableError | None = None
    for collection in EXPIRING:
        for document in await _expired(collection, deps):
            try:
                expired += await _delete(collection, document, deps)
            except ObjectsUnavailableError as error:  # the next one may lie in another bucket
                unreachable = error
    ended = [run.name for run in timed_out]
    about = {"due": due, "begun": begun, "batches": batches, "unheard": unheard, "expired": expired}
    received.describe(
        {},
        timed_out=ended,
        **about,
        **({"decided": decided} if decided else {}),
        **({"compared": compared} if compared else {}),
        **({"settled": settled} if settled else {}),
    )
    if unreachable is not None:
        raise unreachable
    return Handled("swept")


async def _decide(deps: Deps) -> list[str]:
    """The rollouts that stand otherwise now; what decides them is loaded where there are some."""
    query = Query("rollouts", (("status", "==", "running"),), limit=ROLLOUTS_A_TICK)
    running = await deps.store.find(query)
    if not running:
        return []
    from shared.delivery.rollouts.deciding import decide  # noqa: PLC0415

    return await decide(running, deps)


async def _compare(deps: Deps) -> int:
    """How many answers of shadows were compared with what was used."""
    query = Query("comparisons", (("open", "==", True),), limit=ROLLOUTS_A_TICK)
    found = await deps.store.find(query)
    if not found:
        return 0
    from shared.delivery.rollouts.comparing import compare  # noqa: PLC0415

    return await compare(found, deps.store)


async def _overdue(deps: Deps) -> list[Document]:
    query = Query(
        "runs",
        (("deadline", "<=", deps.clock.now()),),
        order_by="deadline",
        limit=TIMEOUTS_A_TICK,
    )
    return await deps.store.find(query)


async def _time_out(found: Document, deps: Deps) -> bool:
    run = RunRecord.of(found.data)
    if run.status.is_final or run.deadline is None:
        return False
    failure = Failure.of(
        RunTimeoutError(f"run {run.run_id} had until {run.deadline:%Y-%m-%d %H:%M:%S} UTC")
    )
    ending = {"status": RunStatus.FAILED, "error": failure}
    end = end_of_run(deps, run.run_id, found.revision, **ending)
    with suppress(StaleError):  # it ended or moved in this very moment; the next tick looks again
        await deps.store.commit([end])
        tell_ended_run(deps, found.data, end.data)
        await announce(run, deps)
        return True
    return False


async def _expired(collection: str, deps: Deps) -> list[Document]:
    query = Query(
        collection,
        (("expire_at", "<=", deps.clock.now()),),
        order_by="expire_at",
        limit=EXPIRED_A_TICK,
    )
    return await deps.store.find(query)


async def _delete(collection: str, document: Document, deps: Deps) -> int:
    """The document with what hangs below it; parents go last, so a crash leaves them findable."""
    if collection == "blobs":
        return await deps.blobs.delete(document)
    deleted = 0
    for name in _INSIDE.get(collection, ()):
        query = Query(f"{document.path}/{name}", limit=_AT_ONCE)
        while inside := await deps.store.find(query):
            await deps.store.commit([Delete(child.path) for child in inside])
            deleted += len(inside)
    await deps.store.commit([Delete(document.path)])
    return deleted + 1
