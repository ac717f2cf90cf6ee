"""What the end of an instance brings about: of a step for its run, of an item for its map.

Whoever ends one brings the write of its result, whether or not it holds a claim.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.maps.items import Items
from shared.delivery.outcome import Beside
from shared.delivery.progress import Variables
from shared.delivery.runs.aftermath import announce
from shared.delivery.scope import Scope
from shared.delivery.settling import Settler, Standing
from shared.domain.chain import StepStatus
from shared.domain.envelope import Envelope
from shared.domain.instances import Instance, instance_of
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    run_path,
    step_path,
)
from shared.errors import StepFailedError
from shared.ports import Store, Write


class RecordedFailure(StepFailedError):
    """The step has failed for good; its record says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @property
    def code(self) -> str:
        return self.failure.code

    def __str__(self) -> str:
        return self.failure.message


@dataclass(frozen=True)
class End:
    """How an instance has ended. `known` are the variables from here on, its output among them.

    `beside` are writes that belong to its result, `also` those that belong to any end.
    """

    status: StepStatus
    result: Write
    known: Variables
    failure: Failure | None = None
    beside: Beside | None = None
    also: Sequence[Write] = ()


class Closing:
    """Ends the instance of one message."""

    def __init__(self, deps: Deps, scope: Scope, envelope: Envelope) -> None:
        self._deps = deps
        self._scope = scope
        self._envelope = envelope
        self._flow = scope.version.flow
        self._settler = Settler(deps, scope)
        self._items = Items(deps, scope, self._settler)

    @property
    def _instance(self) -> Instance:
        return instance_of(self._envelope.step)

    @property
    def _is_inner(self) -> bool:
        """Whether this is an item, or an agent's turn or call: the step goes on or ends with it."""
        return self._envelope.place is not None or self._instance.part is not None

    @property
    def survives(self) -> bool:
        """Whether the flow provides for the step's failure; of an item its map decides."""
        return not self._is_inner and self._flow.declared(self._envelope.step).survives

    async def close(self, end: End, standing: Standing) -> StepRecord | None:
        """Commits the end and sends what follows; returns what had been recorded before, if it was.

        Raises RecordedFailure where the run has ended with it: then the message is to be buried.
        """
        step = self._envelope.step
        if self._is_inner:
            recorded = await self._settler.record(end.result, standing, end.also, end.beside)
            if recorded is None:
                reach("committed")
                await self._inner_ended(end.failure, end.known)
                reach("emitted")
            return recorded
        if end.failure is None or self.survives:
            return await self._settler.settle(
                step, end.status, end.result, end.known, standing, end.also, beside=end.beside
            )
        recorded = await self._settler.fail_run(end.result, end.failure, standing, end.also)
        if recorded is None and not (self._flow.can_outrun and await self._is_left_behind()):
            raise RecordedFailure(end.failure)
        return recorded

    async def resume(
        self, record: StepRecord, variables: Callable[[], Awaitable[Variables]]
    ) -> bool:
        """Sends again what follows from an end; harmless where it was sent. False: the run is over.

        `variables` are those of the message. Raises RecordedFailure where that is what the run has
        ended with.
        """
        if not self._is_inner:
            require_not_stopped(record)
        if ended := await _ended_run(self._deps.store, self._envelope):
            await announce(ended, self._deps)
            if ended.status is RunStatus.FAILED:
                await require_not_failed(self._deps.store, self._envelope)
            return False
        known = await variables()
        if self._is_inner:
            await self._inner_ended(record.error, known)
            return True
        if record.status is StepStatus.SUCCEEDED:
            known = {**known, **self._flow.named(record.step, record.output)}
        await self._settler.repeat(record.step, record.status, known)
        return True

    async def _inner_ended(self, failure: Failure | None, known: Variables) -> None:
        place = self._envelope.place
        if place is not None:
            stopped = await self._items.ended(self._instance, place, failure, known)
        else:
            # Loaded where a flow has agents.
            from shared.delivery.agents.loop import AgentLoop  # noqa: PLC0415

            loop = AgentLoop(self._deps, self._scope, self._settler)
            stopped = await loop.ended(self._instance, failure, known)
        if stopped is not None:
            raise RecordedFailure(stopped)

    async def _is_left_behind(self) -> bool:
        """Whether the run has ended well without this step: then nobody need see to its failure."""
        return await ending_of(self._deps.store, self._envelope) is RunStatus.SUCCEEDED


async def ending_of(store: Store, envelope: Envelope) -> RunStatus | None:
    """How the message's run has ended, by its record; None while it goes on."""
    run = await _ended_run(store, envelope)
    return run.status if run is not None else None


async def _ended_run(store: Store, envelope: Envelope) -> RunRecord | None:
    found = await store.get(run_path(envelope.run.id))
    run = RunRecord.of(found.data) if found is not None else None
    return run if run is not None and run.status.is_final else None


async def require_not_failed(store: Store, envelope: Envelope) -> None:
    """The failure that ended the run may not have been buried yet: it is raised once more."""
    instance = instance_of(envelope.step)
    names = [envelope.step] if instance.is_whole else [envelope.step, instance.step]
    found = await store.get_many([step_path(envelope.run.id, name) for name in names])
    records = [StepRecord.of(one.data) for one in found if one is not None]
    if len(records) < len(names):
        return
    own, step = records[0], records[-1]  # an item's failure is its map's, where that has failed
    failed_by_itself = step.error is not None and step.error.step == instance.step
    if own.status is StepStatus.FAILED or failed_by_itself:
        require_not_stopped(step, own)


def require_not_stopped(record: StepRecord, told: StepRecord | None = None) -> None:
    """Raises RecordedFailure where the step's failure is one that ends the run."""
    if record.status is StepStatus.FAILED and not record.handled:
        failure = (told and told.error) or record.error
        assert failure is not None
        raise RecordedFailure(failure)
