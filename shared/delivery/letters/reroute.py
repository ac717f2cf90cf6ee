"""A step that failed where nobody held it, in a flow that says how the run goes on without it.

Its prompt could not be rendered, its condition failed, or its message was given up. Decides
whether that message has to be kept as a dead letter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.delivery.closing import Closing, End, RecordedFailure
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled
from shared.delivery.letters.keeping import Letter, failed_step
from shared.delivery.scope import Scope, scope_of, variables_of
from shared.domain.chain import StepStatus
from shared.domain.envelope import Envelope
from shared.domain.expressions import fill
from shared.domain.instances import instance_of
from shared.domain.records import RunRecord, StepRecord, run_path, step_path
from shared.domain.version import FlowVersion
from shared.errors import ExpressionError, PayloadMissingError, VersionMissingError
from shared.ports import Document


async def reroute(letter: Letter, deps: Deps, span_id: str) -> Handled | None:
    """Fails the step and lets the run go on; None where the letter has to be kept.

    Repeating it is harmless. Raises ClaimLostError where somebody works on the step after all.
    """
    envelope = letter.envelope
    version = await _version(envelope, deps) if envelope is not None else None
    if envelope is None or version is None or not _provides(version, envelope):
        return None
    run = await deps.store.get(run_path(envelope.run.id))
    if run is None:
        return None
    if RunRecord.of(run.data).redrives > letter.record.redrives:
        return Handled("redriven")  # with all else that was under way
    scope = scope_of(envelope, letter.original, version, span_id)
    try:
        await _Rerouting(deps, scope, envelope, letter).fail()
    except RecordedFailure:  # it was an item too many: its map has ended, and the run with it
        return None
    return Handled("survived", letter.record.error)


async def _version(envelope: Envelope, deps: Deps) -> FlowVersion | None:
    try:
        return await deps.flows.pinned(envelope.run.flow, envelope.run.version)
    except VersionMissingError:
        return None


def _provides(version: FlowVersion, envelope: Envelope) -> bool:
    """Whether the flow says what the step's failure does, or has it decided otherwise.

    Of an item its map decides, of a turn or a call its agent.
    """
    instance = instance_of(envelope.step)
    declared = version.flow.steps.get(instance.step)
    if declared is None:
        return False
    has_value = declared.fallback is not None and declared.fallback.is_value
    return declared.survives or has_value or envelope.place is not None or instance.part is not None


class _Rerouting:
    """One step that nobody holds any more."""

    def __init__(self, deps: Deps, scope: Scope, envelope: Envelope, letter: Letter) -> None:
        self._deps = deps
        self._scope = scope
        self._envelope = envelope
        self._letter = letter.record
        self._closing = Closing(deps, scope, envelope)

    async def fail(self) -> None:
        """Raises RecordedFailure where the run ends with it."""
        path = step_path(self._envelope.run.id, self._envelope.step)
        found = await self._deps.store.get(path)
        record = StepRecord.of(found.data) if found else None
        if record is None or not record.status.is_final:
            record = await self._closing.close(await self._end(found), self._standing)
        if record is not None:  # it had ended: only what follows may not have been sent
            await self._closing.resume(record, self._variables)

    async def _end(self, found: Document | None) -> End:
        """As failed, or with the value that its flow has for that."""
        run, step = self._envelope.run.id, self._envelope.step
        known, handled = await self._variables(), self._closing.survives
        write = failed_step(self._letter, run, step, found, self._deps, handled=handled)
        fallback = self._scope.version.flow.declared(step).fallback
        if fallback is None or not fallback.is_value:
            return End(StepStatus.FAILED, write, known, self._letter.error)
        try:
            value = fill(fallback.value, known)
        except ExpressionError:  # then the step has failed of what it failed of
            return End(StepStatus.FAILED, write, known, self._letter.error)
        changed = {"status": StepStatus.SUCCEEDED, "output": value, "error": None}
        fields = StepRecord.fields_of({**changed, "handled": False, "fallback": True})
        known |= self._scope.version.flow.named(step, value)
        return End(StepStatus.SUCCEEDED, replace(write, data={**write.data, **fields}), known)

    async def _variables(self) -> dict[str, Any]:
        context = self._envelope.context
        try:
            return await variables_of(self._deps.store, self._scope, self._envelope)
        except PayloadMissingError:  # which may be what the step failed of
            return {**context.inline, "run": self._scope.run_variables()}

    async def _standing(self) -> StepRecord | None:
        path = step_path(self._envelope.run.id, self._envelope.step)
        found = await self._deps.store.get(path)
        record = StepRecord.of(found.data) if found else None
        return record if record is not None and record.status.is_final else None
