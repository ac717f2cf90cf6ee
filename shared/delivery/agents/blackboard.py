"""Reads and writes the blackboard of a run, for the calls of its agents and for people.

A call writes once, however often it is repeated: an entry keeps which calls have written it.
"""

from __future__ import annotations

from contextlib import suppress

from pydantic import ValidationError

from shared.delivery.deps import Deps
from shared.domain.agents.blackboard import (
    KEPT_CALLS,
    MAX_ENTRIES,
    READ,
    BoardEntry,
    ReadArguments,
    WriteArguments,
    board_of,
)
from shared.domain.agents.conversation import ToolCall
from shared.domain.model import Json
from shared.errors import Conflict, EffectUnavailableError, ToolArgumentsError, ToolRefusal
from shared.ports import Create, Query, Store, Update

_TRIES = 5


async def use_board(call: ToolCall, run_id: str, step: str, by: str, deps: Deps) -> Json:
    """The result of a call; `step` is its name, `by` who asks for it.

    Raises ToolArgumentsError, ToolRefusal where the board is full, EffectUnavailableError where
    others write the same entry all the time.
    """
    try:
        if call.name == READ.name:
            return await _read(ReadArguments.model_validate(call.args), run_id, deps.store)
        asked = WriteArguments.model_validate(call.args)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ToolArgumentsError(f"{call.name}: {where}: {first['msg']}") from error
    for _ in range(_TRIES):
        with suppress(Conflict):  # somebody else has written it meanwhile
            return await _write(asked, run_id, step, by, deps)
    raise EffectUnavailableError(f"the entry {asked.key!r} is written by others all the time")


async def entries_of(run_id: str, store: Store) -> list[BoardEntry]:
    """All entries, by key."""
    found = await store.find(Query(board_of(run_id)))
    return sorted((BoardEntry.of(one.data) for one in found), key=lambda one: one.key)


async def _read(asked: ReadArguments, run_id: str, store: Store) -> Json:
    if asked.key is None:
        entries = await entries_of(run_id, store)
        return {"entries": {one.key: one.shown(whole=False) for one in entries}}
    found = await store.get(_path(run_id, asked.key))
    if found is None:
        return {"entry": None}
    return {"entry": BoardEntry.of(found.data).shown()}


async def _write(asked: WriteArguments, run_id: str, step: str, by: str, deps: Deps) -> Json:
    """Raises Conflict where another call was faster."""
    path = _path(run_id, asked.key)
    written: dict[str, Json] = {"written": asked.key}
    found = await deps.store.get(path)
    calls = BoardEntry.of(found.data).calls if found is not None else ()
    if step in calls:
        return written
    entry = BoardEntry(
        key=asked.key,
        value=asked.value,
        by=by,
        at=deps.clock.now(),
        calls=(*calls, step)[-KEPT_CALLS:],
        expire_at=deps.expire_at(),
    )
    if found is None:
        if await deps.store.count(Query(board_of(run_id))) >= MAX_ENTRIES:
            raise ToolRefusal(f"the blackboard has {MAX_ENTRIES} entries; write over one of them")
        await deps.store.commit([Create(path, entry.document())])
    else:
        await deps.store.commit([Update(path, entry.document(), found.revision)])
    return written


def _path(run_id: str, key: str) -> str:
    return f"{board_of(run_id)}/{key}"
