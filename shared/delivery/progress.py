"""How a run moves: what a commit must hold beside a step's result, and the messages that follow.

Whoever repeats it after a crash, at any point, sends the same messages and changes nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.delivery.commands.holding import commit_skips
from shared.delivery.deps import Deps
from shared.delivery.openers import StepOpener, opener_of
from shared.delivery.runs.ending import RunEnd
from shared.delivery.scope import Scope, dead_letter, variables_at
from shared.domain import chain
from shared.domain.chain import Advance, Arrivals, StepStatus
from shared.domain.envelope import Message
from shared.domain.flow import END
from shared.domain.records import Failure, JoinRecord, StepRecord, join_path, step_path
from shared.errors import (
    ClaimBusyError,
    Conflict,
    ExpressionError,
    Permanent,
    SegueError,
)
from shared.ports import Create, Document, Increment, Update, Write, Written

Variables = Mapping[str, Any]
_TRIES = 3
REPEATED = None  # in place of the results of a commit that somebody made before


class Progress:
    """Moves one run on, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope
        self._flow = scope.version.flow
        self.end = RunEnd(deps, scope)

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

    # -- after the commit -------------------------------------------------------------------

    async def follow(
        self, plan: Advance, written: Sequence[Written] | None, known: Variables
    ) -> None:
        """Sends what the plan makes ready, and goes on where its arrivals decide a join.

        `written` are the results of the commit that took the plan; REPEATED where that was done
        before: then the joins are decided on as they stand.
        """
        repeated = written is REPEATED
        totals = await self._stored(plan) if written is REPEATED else arrivals_in(plan, written)
        await self._send(plan, known)
        for join, new in plan.arrivals.items():
            if chain.is_decided(self._flow, join, totals[join], None if repeated else new):
                variables = await variables_at(self._deps.store, self._scope, join, known)
                await self._fire(join, totals[join], variables)

    async def follow_to_end(
        self, plan: Advance, written: Sequence[Written] | None, known: Variables
    ) -> None:
        """The same, and ends the run where the plan does and no commit has."""
        await self.follow(plan, written, known)
        if plan.ends:
            await self.end.finish(await self.at_end(known))

    async def start_again(self, step: str, arrivals: Arrivals, variables: Variables) -> None:
        """Sends a step whose turn it is, or skips it, whatever is recorded of earlier attempts."""
        plan = chain.fire(self._flow, step, arrivals, variables)
        standing = await self._deps.store.get(step_path(self._scope.run.id, step))
        if standing is not None and StepRecord.of(standing.data).status.is_final:
            return  # it has ended since
        await self._take(plan, variables, standing)

    async def at_end(self, known: Variables) -> Variables:
        """The variables that the run's outputs see, where `known` are those of one branch.

        Only where branches can be left behind may there be more than have come along.
        """
        if not self._flow.can_outrun:
            return known
        return await variables_at(self._deps.store, self._scope, END, known)

    async def _send(self, plan: Advance, variables: Variables) -> None:
        outgoing: dict[str, list[Message]] = defaultdict(list)
        opened: dict[str, StepOpener] = {}
        for step in plan.ready:
            opener = opener_of(step, self._deps, self._scope)
            if opener is not None:
                opened[step] = opener
                continue
            topic, message = self._scope.hand_over(step, variables)
            outgoing[topic].append(message)
        for step, reason in plan.refused.items():
            topic, message = self._refusal(step, ExpressionError(reason), variables)
            outgoing[topic].append(message)
        for topic, messages in outgoing.items():
            await self._deps.bus.publish(topic, messages)
        for step, opener in opened.items():
            await self._open(step, opener, variables)

    def _refusal(self, step: str, error: SegueError, variables: Variables) -> tuple[str, Message]:
        """(topic, message) that buries a step that cannot even be started."""
        stage, message = self._scope.hand_over(step, variables)
        told = type(error)(f"step {step!r}, {error.detail}")
        return f"{stage}-dead", dead_letter(message, stage, Failure.of(told, step))

    # -- steps that no stage begins ---------------------------------------------------------

    async def _open(self, step: str, opener: StepOpener, variables: Variables) -> None:
        """Records that the step has begun and sends what it begins with; again, where it has."""
        try:
            record = await opener.record(step, variables)
        except Permanent as error:
            topic, message = self._refusal(step, error, variables)
            await self._deps.bus.publish(topic, [message])
            return
        path = step_path(self._scope.run.id, step)
        begin: Write = Create(path, record.document())
        for _ in range(_TRIES):
            done = await self._begin(record, begin, opener, variables)
            standing = None if done else await self._deps.store.get(path)
            if standing is None:
                return
            found = StepRecord.of(standing.data)
            if found.held and found.status is StepStatus.PENDING:
                return  # it is opened when its run is resumed
            if found.status.is_final or opener.has_begun(found):
                await self._open_again(found, opener, variables)
                return
            record = opener.anew(record, found)
            begin = Update(path, record.document(), standing.revision)
        raise ClaimBusyError(f"step {step} of run {self._scope.run.id}")

    async def _begin(
        self, record: StepRecord, begin: Write, opener: StepOpener, variables: Variables
    ) -> bool:
        """False where the step has a record already."""
        if record.status is StepStatus.SUCCEEDED:  # there was nothing to do
            plan, known = self._after(record, variables)
            writes = [begin, *self.writes(plan)]
        else:
            plan, known, writes = None, variables, [begin]
        try:
            written = await commit_skips(self._deps.store, writes)
        except Conflict:
            return False
        if plan is None:
            await opener.begun(record, variables)
        else:
            await self.follow_to_end(plan, written, known)
        return True

    async def _open_again(
        self, record: StepRecord, opener: StepOpener, variables: Variables
    ) -> None:
        if not record.status.is_final:
            await opener.begun(record, variables)
        elif record.leads_on:
            plan, known = self._after(record, variables)
            await self.follow_to_end(plan, REPEATED, known)

    def _after(self, record: StepRecord, variables: Variables) -> tuple[Advance, Variables]:
        known = dict(variables)
        if record.status is StepStatus.SUCCEEDED:
            known |= self._flow.named(record.step, record.output)
        return chain.advance(self._flow, record.step, record.status, known), known

    # -- joins ------------------------------------------------------------------------------

    async def _fire(self, join: str, total: Arrivals, variables: Variables) -> None:
        if join == END:
            await self.end.finish(variables)
            return
        await self._take(chain.fire(self._flow, join, total, variables), variables)

    async def _take(
        self, plan: Advance, variables: Variables, standing: Document | None = None
    ) -> None:
        written: Sequence[Written] | None = []
        if plan.skipped:  # the step itself and what lies behind it: that is recorded first
            writes = [_over(standing, write) for write in self.writes(plan)]
            try:
                written = await commit_skips(self._deps.store, writes)
            except Conflict:
                if not await self._is_skipped(plan.skipped[0]):
                    return  # where branches race, another delivery saw more, or less, and let it go
                written = REPEATED
        await self.follow_to_end(plan, written, variables)

    async def _is_skipped(self, step: str) -> bool:
        found = await self._deps.store.get(step_path(self._scope.run.id, step))
        return found is not None and StepRecord.of(found.data).status is StepStatus.SKIPPED

    async def _stored(self, plan: Advance) -> Mapping[str, Arrivals]:
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


def _counts(document: Document | None) -> tuple[int, int]:
    record = JoinRecord.of(document.data) if document else JoinRecord()
    return record.arrived, record.succeeded


def arrivals_in(plan: Advance, written: Sequence[Written]) -> Mapping[str, Arrivals]:
    """The joins' new counts, from the results of the commit that raised them."""
    counted = [result.counters for result in written if "arrived" in result.counters]
    return {
        join: Arrivals(counters["arrived"], counters["succeeded"])
        for join, counters in zip(plan.arrivals, counted, strict=True)
    }
