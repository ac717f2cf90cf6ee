"""What follows from the end of an item of a mapped step: the next item, or the end of the map.

No counter is kept: whoever ends an item that no other follows asks how many have ended, and the one
who finds that all have, collects their outputs. Repeating any of it is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.delivery.commands.holding import let_go
from shared.delivery.deps import Deps
from shared.delivery.maps.opening import Maps
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import Scope, variables_at
from shared.delivery.settling import Settler, Standing
from shared.domain.chain import StepStatus
from shared.domain.envelope import Place
from shared.domain.instances import Instance
from shared.domain.mapped import ItemError, Mapped
from shared.domain.records import Failure, RunRecord, StepRecord, run_path, step_path
from shared.errors import OutputTooLargeError, RecordTooLargeError
from shared.ports import Document, Query, Update

_ENDED = [status.value for status in StepStatus if status.is_final]
_ERRORS = 100  # of failed items, that are kept with the map
_TOLD = 200  # characters of each
_WRITES = 400  # in one commit


class Items:
    """The items of one run's maps, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope, settler: Settler) -> None:
        self._deps = deps
        self._scope = scope
        self._settler = settler
        self._maps = Maps(deps, scope)

    async def ended(
        self, item: Instance, place: Place, failure: Failure | None, known: Mapping[str, Any]
    ) -> Failure | None:
        """Called when the end of an item has been committed, and again where that is repeated.

        Returns the failure that the whole map, and with it the run, has ended with.
        """
        if failure is not None and await self._is_too_much(item.step, place.size):
            return await self._fail(item.step, failure)
        if place.next is not None and await self._went_on(item, known):
            return None
        if await self._count(item.step, _ENDED) >= place.size:
            return await self._collect(item.step)
        return None

    async def continue_map(self, standing: Document, variables: Mapping[str, Any]) -> None:
        """Goes on with a map whose run was reopened or resumed: with what failed, what is left."""
        record = StepRecord.of(standing.data)
        assert record.mapped is not None
        if record.status.is_final:
            return  # it has ended since
        found = await self._maps.records(record.step, record.mapped.size)
        if record.status is StepStatus.PENDING:  # it had failed: so must its failed items again
            await self._free_failed(found)
        await self._let_go(found)
        rest = [index for index, one in enumerate(found) if not _has_ended(one, record.status)]
        mapped = record.mapped.model_copy(update={"rest": rest, "failed": 0, "errors": []})
        again = {"status": StepStatus.RUNNING, "error": None, "held": False}
        fields = {**again, "mapped": mapped}
        update = Update(standing.path, StepRecord.fields_of(fields), standing.revision)
        await self._deps.store.commit([update])
        if rest:
            await self._maps.send_first(record.step, mapped, variables)
        else:
            await self._collect(record.step)

    # -- on its way -------------------------------------------------------------------------

    async def _went_on(self, item: Instance, known: Mapping[str, Any]) -> bool:
        """Sends the item that follows this one; False where none does after all."""
        paths = [self._path(item.step), run_path(self._scope.run.id)]
        found, run = await self._deps.store.get_many(paths)
        if found is None or run is None or RunRecord.of(run.data).status.is_final:
            return True
        record = StepRecord.of(found.data)
        if record.status is not StepStatus.RUNNING or record.mapped is None or record.held:
            return True  # nobody needs it any more, or somebody is about to send what is left
        assert item.index is not None
        following = self._maps.after(item.step, record.mapped, item.index)
        if following is None:
            return False
        await self._maps.send(item.step, record.mapped, [following], known)
        return True

    async def _count(self, step: str, statuses: Sequence[str]) -> int:
        steps = f"{run_path(self._scope.run.id)}/steps"
        query = Query(steps, (("item_of", "==", step), ("status", "in", list(statuses))))
        return await self._deps.store.count(query)

    async def _is_too_much(self, step: str, size: int) -> bool:
        tolerated = self._maps.declared(step).tolerated(size)
        if tolerated == 0:
            return True
        return await self._count(step, [StepStatus.FAILED.value]) > tolerated

    # -- at the end -------------------------------------------------------------------------

    async def _collect(self, step: str) -> Failure | None:
        """Ends the map with what its items came to, unless somebody has."""
        found = await self._deps.store.get(self._path(step))
        record = StepRecord.of(found.data) if found else None
        if found is None or record is None or record.mapped is None:
            return None
        if record.status.is_final:
            return await self._repeat(record)
        if record.status is not StepStatus.RUNNING:
            return None  # a redrive is about to continue it
        size = record.mapped.size
        items = [StepRecord.of(one.data) for one in await self._maps.records(step, size) if one]
        if len(items) < size or not all(item.status.is_final for item in items):
            return None  # a redrive has taken some of them up again
        failed = [item for item in items if item.status is StepStatus.FAILED]
        if len(failed) > self._maps.declared(step).tolerated(size):
            assert failed[-1].error is not None
            return await self._fail(step, failed[-1].error)
        outputs = [item.output if _is_good(item) else None for item in items]
        try:
            require_fitting(outputs, f"the outputs of step {step!r} together")
            return await self._succeed(found, record, outputs, _mapped(size, failed))
        except (OutputTooLargeError, RecordTooLargeError) as error:
            return await self._fail(step, Failure.of(error, step))

    async def _succeed(
        self, found: Document, record: StepRecord, outputs: list[Any], mapped: Mapped
    ) -> Failure | None:
        fields = {
            "status": StepStatus.SUCCEEDED,
            "output": outputs,
            "finished_at": self._deps.clock.now(),
            "mapped": mapped,
        }
        result = Update(found.path, StepRecord.fields_of(fields), found.revision)
        flow = self._scope.version.flow
        known = {**await self._variables(record.step), **flow.named(record.step, outputs)}
        done = await self._settler.settle(
            record.step, StepStatus.SUCCEEDED, result, known, self._standing(record.step)
        )
        return None if done is None else await self._repeat(done)

    async def _fail(self, step: str, failure: Failure) -> Failure | None:
        """Ends the map as failed; returns the failure where the run ends with it."""
        found = await self._deps.store.get(self._path(step))
        record = StepRecord.of(found.data) if found else None
        if found is None or record is None:
            return None
        if record.status.is_final:
            return await self._repeat(record)
        if record.status is not StepStatus.RUNNING:
            return None  # a redrive is about to continue it, with this item
        survives = self._scope.version.flow.steps[step].survives
        fields = {
            "status": StepStatus.FAILED,
            "error": failure,
            "handled": survives,
            "finished_at": self._deps.clock.now(),
        }
        result = Update(found.path, StepRecord.fields_of(fields), found.revision)
        if not survives:
            done = await self._settler.fail_run(result, failure, self._standing(step))
            return failure if done is None else await self._repeat(done)
        known = await self._variables(step)
        done = await self._settler.settle(
            step, StepStatus.FAILED, result, known, self._standing(step)
        )
        return None if done is None else await self._repeat(done)

    async def _repeat(self, record: StepRecord) -> Failure | None:
        """What follows from a map that has ended: sent again, or told."""
        if record.status is StepStatus.FAILED and not record.handled:
            return record.error
        if await self._settler.progress.end.open_revision() is not None:
            known = await self._variables(record.step)
            if record.status is StepStatus.SUCCEEDED:
                known |= self._scope.version.flow.named(record.step, record.output)
            await self._settler.repeat(record.step, record.status, known)
        return None

    async def _variables(self, step: str) -> dict[str, Any]:
        """What is known where the map ends: its items bring nothing along."""
        return await variables_at(self._deps.store, self._scope, step, {})

    def _standing(self, step: str) -> Standing:
        async def standing() -> StepRecord | None:
            found = await self._deps.store.get(self._path(step))
            record = StepRecord.of(found.data) if found else None
            return record if record is not None and record.status.is_final else None

        return standing

    def _path(self, step: str) -> str:
        return step_path(self._scope.run.id, step)

    # -- again ------------------------------------------------------------------------------

    async def _free_failed(self, found: Sequence[Document | None]) -> None:
        """A failed item can be claimed again; one that works on keeps its claim."""
        fields = {
            "status": StepStatus.PENDING,
            "error": None,
            "finished_at": None,
            "fallback": False,
        }
        pending = StepRecord.fields_of(fields)
        failed = [one for one in found if one and _status(one) is StepStatus.FAILED]
        await self._write([Update(one.path, pending, one.revision) for one in failed])

    async def _let_go(self, found: Sequence[Document | None]) -> None:
        """A pause has held them back."""
        records = [(one, let_go(StepRecord.of(one.data))) for one in found if one is not None]
        await self._write(
            [
                Update(one.path, StepRecord.fields_of(fields), one.revision)
                for one, fields in records
                if fields is not None
            ]
        )

    async def _write(self, writes: Sequence[Update]) -> None:
        for at in range(0, len(writes), _WRITES):
            await self._deps.store.commit(writes[at : at + _WRITES])


def _status(found: Document) -> StepStatus:
    return StepStatus(found.data["status"])


def _is_good(item: StepRecord) -> bool:
    return item.status is StepStatus.SUCCEEDED


def _has_ended(found: Document | None, map_status: StepStatus) -> bool:
    """Whether nothing is left to do for the item, in a map of that status."""
    if found is None:
        return False
    status = _status(found)
    is_tolerated = status is StepStatus.FAILED and map_status is not StepStatus.PENDING
    return status is StepStatus.SUCCEEDED or is_tolerated


def _mapped(size: int, failed: Sequence[StepRecord]) -> Mapped:
    """What is kept of a map that has ended: its list is not needed any more."""
    return Mapped(size=size, failed=len(failed), errors=list(_errors(failed[:_ERRORS])))


def _errors(failed: Sequence[StepRecord]) -> Iterator[ItemError]:
    for item in failed:
        assert item.error is not None
        assert item.index is not None
        message = item.error.message
        told = message if len(message) <= _TOLD else f"{message[:_TOLD]} …"
        yield ItemError(index=item.index, code=item.error.code, message=told)
