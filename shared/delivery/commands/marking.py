"""Marks what of a run has not ended: the records that are there, and those that will be.

A step whose message is under way has no record yet; it is given one, which its claim will meet.
Decides which records those are; what is written into them is decided by whoever stops the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.instances import Instance, instance_of
from shared.domain.mapped import Mapped
from shared.domain.records import RunRecord, StepRecord, run_path, step_path
from shared.domain.version import FlowVersion
from shared.errors import ClaimBusyError, Conflict, VersionMissingError
from shared.ports import Create, Document, Query, Update

Fields = Mapping[str, Any]
_AT_ONCE = 100  # records read, and written, together
_TRIES = 5  # at one record, which somebody else may be writing


@dataclass(frozen=True)
class Mark:
    """`change`: the new fields of a record, None where it stays as it is.

    `fresh`: those of a record for what has not begun; None where it needs none.
    """

    change: Callable[[StepRecord], Fields | None]
    fresh: Fields | None = None


async def mark_unfinished(run: RunRecord, mark: Mark, deps: Deps, *, items: bool = True) -> None:
    """Marks every step of the run and, with `items`, those of its maps that have been sent.

    Done again, it does what is left. Raises ClaimBusyError where a record keeps changing.
    """
    try:
        version = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:  # no stage takes its messages, so nothing more can begin
        found = await deps.store.find(Query(f"{run_path(run.run_id)}/steps"))
        await _Marking(run, Mark(mark.change), deps).all([one.name for one in found])
        return
    marking = _Marking(run, mark, deps)
    records = await marking.all(list(version.flow.steps))
    if items:
        await marking.items(version, records)
        await marking.agents(records)


async def mark_parts(run: RunRecord, step: str, mark: Mark, deps: Deps) -> None:
    """Marks the turns and calls of an agent that have not ended. Raises as `mark_unfinished`."""
    await _Marking(run, mark, deps).agent(step)


class _Marking:
    """The records of one run."""

    def __init__(self, run: RunRecord, mark: Mark, deps: Deps) -> None:
        self._run = run
        self._mark = mark
        self._deps = deps

    async def items(self, version: FlowVersion, steps: Sequence[StepRecord | None]) -> None:
        """A mapped step goes before its items: from then on it sends no more of them."""
        for record in steps:
            if record is not None and record.mapped is not None:
                foreach = version.flow.steps[record.step].foreach
                await self._items(record, foreach.max_parallel if foreach else 0)

    async def agents(self, steps: Sequence[StepRecord | None]) -> None:
        """An agent goes before its turns and calls: from then on none of them is sent."""
        for record in steps:
            if record is not None and record.agent is not None:
                await self.agent(record.step)

    async def agent(self, step: str) -> None:
        # Loaded where a run has agents.
        from shared.delivery.agents.journal import read_turns, under_way  # noqa: PLC0415

        turns = await read_turns(self._run.run_id, step, self._deps.store)
        await self.all([str(one) for one in under_way(turns)])

    async def all(self, names: Sequence[str]) -> list[StepRecord | None]:
        """Marks what is named; returns the records as they were."""
        found: list[StepRecord | None] = []
        for at in range(0, len(names), _AT_ONCE):
            found += await self._some(names[at : at + _AT_ONCE], self._mark.fresh)
        return found

    async def _items(self, record: StepRecord, lanes: int) -> None:
        assert record.mapped is not None
        size, ended, missing = record.mapped.size, set[int](), list[int]()
        for at in range(0, size, _AT_ONCE):
            some = range(at, min(at + _AT_ONCE, size))
            names = [str(Instance(record.step, index)) for index in some]
            for index, item in zip(some, await self._some(names, None), strict=True):
                if item is None:
                    missing.append(index)
                elif item.status.is_final and item.status is not StepStatus.CANCELLED:
                    ended.add(index)  # it may have sent the next one of its lane
        if self._mark.fresh is not None:
            sent = _sent(record.mapped, lanes, ended).intersection(missing)
            await self.all([str(Instance(record.step, index)) for index in sorted(sent)])

    # -- records ----------------------------------------------------------------------------

    async def _some(self, names: Sequence[str], fresh: Fields | None) -> list[StepRecord | None]:
        """All in one commit or, where somebody else is writing one of them, one by one."""
        found = await self._deps.store.get_many([self._path(name) for name in names])
        pairs = list(zip(names, found, strict=True))
        writes = [write for one in pairs for write in self._writes(*one, fresh)]
        with suppress(Conflict):
            if writes:
                await self._deps.store.commit(writes)
            return [StepRecord.of(one.data) if one else None for one in found]
        return [await self._one(name, fresh) for name in names]

    async def _one(self, name: str, fresh: Fields | None) -> StepRecord | None:
        for _ in range(_TRIES):
            found = await self._deps.store.get(self._path(name))
            with suppress(Conflict):
                await self._deps.store.commit(list(self._writes(name, found, fresh)))
                return StepRecord.of(found.data) if found else None
        raise ClaimBusyError(f"step {name} of run {self._run.run_id} keeps changing")

    def _writes(
        self, name: str, found: Document | None, fresh: Fields | None
    ) -> Iterator[Create | Update]:
        if found is not None:
            fields = self._mark.change(StepRecord.of(found.data))
            if fields is not None:
                yield Update(found.path, StepRecord.fields_of(fields), found.revision)
        elif fresh is not None:
            yield Create(self._path(name), self._fresh(name, fresh).document())

    def _fresh(self, name: str, fields: Fields) -> StepRecord:
        instance = instance_of(name)
        record = StepRecord(
            run_id=self._run.run_id,
            flow=self._run.flow,
            step=name,
            stage=self._deps.stage.name,
            status=StepStatus.PENDING,
            item_of=instance.item_of,
            index=instance.index,
            expire_at=self._deps.expire_at(),
        )
        return record.model_copy(update=dict(fields))

    def _path(self, name: str) -> str:
        return step_path(self._run.run_id, name)


def _sent(mapped: Mapped, lanes: int, ended: set[int]) -> set[int]:
    """The items that may be under way: the first of each lane, and those behind one that ended.

    A redrive leaves other lanes than the map began with; messages of both may be under way.
    """
    before = mapped.model_copy(update={"rest": None})
    first = {*mapped.first(lanes), *before.first(lanes)}
    after = {one.after(index, lanes) for one in (mapped, before) for index in ended}
    return first.union(index for index in after if index is not None)
