"""How a pause holds back what has not begun: what it writes into records, and how it is taken back.

A step without a record is given one, for its claim to meet. It stands for none: what would have
created one, and does not begin the step, writes over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord
from shared.errors import AlreadyExistsError
from shared.ports import Create, Document, Store, Update, Write, Written

Fields = Mapping[str, Any]


def held_back(record: StepRecord) -> Fields | None:
    """What a pause changes in a record; nothing where the step has ended or is being worked on."""
    is_free = record.status is StepStatus.PENDING
    has_more = record.status is StepStatus.RUNNING and record.has_parts
    if record.held or not (is_free or has_more):
        return None
    return {"held": True, "due": None, "held_due": record.due}


def let_go(record: StepRecord) -> Fields | None:
    """What takes a pause back; what is to be tried again later is so at the time it was to be."""
    if not record.held or record.status.is_final:
        return None
    return {"held": False, "due": record.held_due, "held_due": None}


async def commit_skips(store: Store, writes: Sequence[Write]) -> list[Written]:
    """Commits; skips of steps that were only held back take their place. Raises as `commit`."""
    try:
        return await store.commit(writes)
    except AlreadyExistsError:
        over = await _over(store, writes)
        if over == list(writes):
            raise
        return await store.commit(over)


async def _over(store: Store, writes: Sequence[Write]) -> list[Write]:
    skips = [write for write in writes if _is_skip(write)]
    found = await store.get_many([write.path for write in skips]) if skips else []
    held = {one.path: one for one in found if one is not None and is_placeholder(one)}
    return [
        Update(write.path, write.data, held[write.path].revision)
        if isinstance(write, Create) and write.path in held
        else write
        for write in writes
    ]


def _is_skip(write: Write) -> bool:
    return isinstance(write, Create) and write.data.get("status") == StepStatus.SKIPPED.value


def is_placeholder(found: Document) -> bool:
    """Whether the record says of its step that it has not begun, and nothing else."""
    record = StepRecord.of(found.data)
    return record.status is StepStatus.PENDING and not record.attempts and record.error is None
