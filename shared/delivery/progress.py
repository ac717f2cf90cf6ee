"""How a run moves: one atomic commit for what a step did, then messages derived from it.

Whoever repeats it after a crash, at any point, sends the same messages and changes nothing twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.scope import Scope, dead_letter, variables_at
from shared.delivery.telling import tell_ended
from shared.domain import chain
from shared.domain.chain import Advance, Arrivals, StepStatus
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES, MAX_DEPTH, is_shallow
from shared.domain.expressions import fill, names
from shared.domain.flow import END
from shared.domain.records import (
    Failure,
    JoinRecord,
    RunRecord,
    RunStatus,
    StepRecord,
    join_path,
    run_path,
    step_path,
)
from shared.errors import Conflict, ExpressionError, OutputTooLargeError, StaleError
from shared.ports import Create, Document, Increment, Update, Write, Written

Variables = Mapping[str, Any]


class Progress:
    """Moves one run on, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope
        self._flow = scope.version.flow

    # -- writes -----------------------------------------------------------------------------

    def writes(self, plan: Advance) -> list[Create | Increment]:
        """What the commit that takes a plan must hold, beside the step's result and the end."""
        skips = [self._skip(step) for step in plan.skipped]
        joins = [self._arrive(join, arrivals) for join, arrivals in plan.arrivals.items()]
        return [*skips, *joins]

    def _skip(self, step: str) -> Create:
        now = self._deps.clock.now()
        record = StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=step,
            stage=self._deps.stage.name,
            status=StepStatus.SKIPPED,
            finished_at=now,
            expire_at=self._deps.expire_at(),
        )
        return Create(step_path(self._scope.run.id, step), record.document())

    def _arrive(self, join: str, arrivals: Arrivals) -> Increment:
        return Increment(
            join_path(self._scope.run.id, join),
            {"arrived": arrivals.arrived, "succeeded": arrivals.succeeded},
            {"expire_at": self._deps.expire_at()},
        )

    def end(self, variables: Variables, revision: str) -> Update:
        """The write that ends the run with its outputs, if it is still at `revision`."""
        try:
            ending: dict[str, Any] = {
                "status": RunStatus.SUCCEEDED,
                "outputs": self._outputs(variables),
            }
        except (ExpressionError, OutputTooLargeError) as error:
            ending = {"status": RunStatus.FAILED, "error": Failure.of(error)}
        return end_of_run(self._deps, self._scope.run.id, revision, **ending)

    def _outputs(self, variables: Variables) -> dict[str, Any]:
        """The run's outputs; one that only fails because a step was skipped is null."""
        outputs = {}
        for name, template in self._flow.outputs.items():
            try:
                outputs[name] = fill(template, variables)
            except ExpressionError as error:
                if not self._refers_to_skipped(template, variables):
                    raise ExpressionError(f"output {name!r}: {error.detail}") from error
                outputs[name] = None
        try:
            require_fitting(outputs, "the run's outputs")
        except (TypeError, ValueError) as error:
            raise ExpressionError(f"the run's outputs are no JSON: {error}") from error
        return outputs

    def _refers_to_skipped(self, template: Any, variables: Variables) -> bool:
        return any(name in self._flow.steps and name not in variables for name in names(template))

    # -- after the commit -------------------------------------------------------------------

    async def follow(self, plan: Advance, totals: Mapping[str, Arrivals], known: Variables) -> None:
        """Sends what the plan makes ready, and goes on where its arrivals complete a join."""
        await self._send(plan, known)
        for join in plan.arrivals:
            if totals[join].arrived >= self._flow.width(join):
                variables = await variables_at(self._deps.store, self._scope, join, known)
                await self._fire(join, totals[join], variables)

    async def start_again(self, step: str, arrivals: Arrivals, variables: Variables) -> None:
        """Sends a step whose turn it is, or skips it, whatever is recorded of earlier attempts."""
        plan = chain.fire(self._flow, step, arrivals, variables)
        standing = await self._deps.store.get(step_path(self._scope.run.id, step))
        await self._take(plan, variables, standing)

    async def _send(self, plan: Advance, variables: Variables) -> None:
        outgoing: dict[str, list[Message]] = defaultdict(list)
        for step in plan.ready:
            topic, message = self._scope.hand_over(step, variables)
            outgoing[topic].append(message)
        for step, reason in plan.refused.items():
            stage, message = self._scope.hand_over(step, variables)
            failure = Failure.of(ExpressionError(f"step {step!r}, {reason}"), step)
            outgoing[f"{stage}-dead"].append(dead_letter(message, stage, failure))
        for topic, messages in outgoing.items():
            await self._deps.bus.publish(topic, messages)

    async def _fire(self, join: str, total: Arrivals, variables: Variables) -> None:
        if join == END:
            await self.finish(variables)
            return
        await self._take(chain.fire(self._flow, join, total, variables), variables)

    async def _take(
        self, plan: Advance, variables: Variables, standing: Document | None = None
    ) -> None:
        writes = [_over(standing, write) for write in self.writes(plan)]
        totals: Mapping[str, Arrivals] = {}
        if writes:  # the join was skipped: record that and what follows from it
            totals = await self._commit_once(plan, writes)
        await self.follow(plan, totals, variables)
        if plan.ends:
            await self.finish(variables)

    async def _commit_once(self, plan: Advance, writes: Sequence[Write]) -> Mapping[str, Arrivals]:
        try:
            return arrivals_in(plan, await self._deps.store.commit(writes))
        except Conflict:  # an earlier delivery committed this, or the run has ended since
            return await self.stored_arrivals(plan)

    async def finish(self, variables: Variables) -> None:
        """Ends the run with its outputs, and tells, unless it has ended already."""
        revision: str | None = self._scope.run.revision
        while revision is not None:
            end = self.end(variables, revision)
            try:
                await self._deps.store.commit([end])
            except StaleError:
                revision = await self.open_revision()
            else:
                tell_ended(self._deps, self._scope.run, self._scope.trace.trace_id, end.data)
                return

    async def open_revision(self) -> str | None:
        """The run's revision while it goes on; None once it has ended."""
        found = await self._deps.store.get(run_path(self._scope.run.id))
        if found is None or RunRecord.of(found.data).status.is_final:
            return None
        return found.revision

    async def stored_arrivals(self, plan: Advance) -> Mapping[str, Arrivals]:
        """The joins' counts as they stand: what a redelivery decides on."""
        joins = list(plan.arrivals)
        paths = [join_path(self._scope.run.id, join) for join in joins]
        found = await self._deps.store.get_many(paths) if paths else []
        return {
            join: Arrivals(*_counts(document)) for join, document in zip(joins, found, strict=True)
        }


def _over(standing: Document | None, write: Write) -> Write:
    """A skip over a record that is there already; its attempts are kept."""
    if standing is None or standing.path != write.path or not isinstance(write, Create):
        return write
    kept = {"attempts", "answers", "prompt", "model", "fence", "started_at"}
    changed = {name: value for name, value in write.data.items() if name not in kept}
    return Update(write.path, changed, standing.revision)


def require_fitting(value: Any, what: str) -> None:
    """Raises OutputTooLargeError where a JSON value does not fit into a record."""
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAX_DATA_BYTES:
        raise OutputTooLargeError(f"{what}: {size:,} bytes; the limit is {MAX_DATA_BYTES:,}")
    if not is_shallow(value):
        raise OutputTooLargeError(f"{what}: nested more than {MAX_DEPTH} deep")


def _counts(document: Document | None) -> tuple[int, int]:
    record = JoinRecord.of(document.data) if document else JoinRecord()
    return record.arrived, record.succeeded


def arrivals_in(plan: Advance, written: Sequence[Written]) -> Mapping[str, Arrivals]:
    """The joins' new counts, from the results of the commit that raised them."""
    counted = [result.counters for result in written if result.counters]
    return {
        join: Arrivals(counters["arrived"], counters["succeeded"])
        for join, counters in zip(plan.arrivals, counted, strict=True)
    }


def end_of_run(deps: Deps, run_id: str, revision: str, **fields: Any) -> Update:
    """The write that ends a run that is still at `revision`."""
    update = {
        "finished_at": deps.clock.now(),
        "deadline": None,
        "outputs": None,
        "error": None,
        **fields,
    }
    changed = RunRecord.fields_of(update)
    return Update(run_path(run_id), changed, revision)
