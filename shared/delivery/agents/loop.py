"""What follows from the end of a turn or of a call: calls, the next turn, or the agent's end.

No counter is kept: whoever ends the last call of a turn finds that all have ended, and sends the
next turn. Whoever repeats it sends what nothing is recorded of yet, and changes nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared.delivery.agents.ends import AgentEnds
from shared.delivery.agents.handing import answer
from shared.delivery.agents.journal import (
    Turn,
    calls_of,
    documents,
    number,
    read_turns,
    turn_of,
)
from shared.delivery.agents.messages import call_message, turn_message
from shared.delivery.agents.permits import Permits
from shared.delivery.commands.holding import let_go
from shared.delivery.deps import Deps
from shared.delivery.scope import Scope
from shared.delivery.settling import Settler
from shared.domain.agents.hand_offs import handed_off
from shared.domain.agents.notes import TurnTaken, breach
from shared.domain.chain import StepStatus
from shared.domain.envelope import Message
from shared.domain.instances import Instance
from shared.domain.records import Failure, RunRecord, StepRecord, run_path, step_path
from shared.domain.step import AgentStep
from shared.errors import AlreadyExistsError, ExpressionError
from shared.ports import Create, Document, Update

Variables = Mapping[str, Any]
_STOPPED = frozenset({StepStatus.FAILED, StepStatus.CANCELLED})


class AgentLoop:
    """The agents of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope, settler: Settler) -> None:
        self._deps = deps
        self._scope = scope
        self._ends = AgentEnds(deps, scope, settler)

    async def ended(
        self, of: Instance, failure: Failure | None, known: Variables
    ) -> Failure | None:
        """Called when the end of a turn or call has been committed, and where that is repeated.

        Returns the failure that the agent, and with it the run, has ended with.
        """
        assert of.part is not None
        turn = turn_of(of.step, of.part.turn)
        paths = [self._path(of.step), run_path(self._scope.run.id), self._path(str(turn))]
        found, run, taken = await self._deps.store.get_many(paths)
        if found is None or run is None or RunRecord.of(run.data).status.is_final:
            return None
        record = StepRecord.of(found.data)
        if record.status.is_final:
            return await self._ends.repeat(record)
        if record.status is not StepStatus.RUNNING or record.held:
            return None  # nobody needs it now, or somebody is about to send what is left
        if failure is not None:
            return await self._ends.fail(found, failure)
        return await self._go_on(found, Turn(turn, taken), known)

    async def go_on(self, standing: Document, variables: Variables) -> None:
        """Goes on with an agent whose run was reopened or resumed, at its last finished turn."""
        record = StepRecord.of(standing.data)
        if record.status.is_final:
            return  # it has ended since
        run, store = self._scope.run.id, self._deps.store
        await self._free(list(documents(await read_turns(run, record.step, store))))
        timeout = self._declared(record.step).timeout
        due = self._deps.clock.now() + timedelta(seconds=timeout) if timeout else None
        again = {"status": StepStatus.RUNNING, "error": None, "held": False, "due": due}
        update = Update(standing.path, StepRecord.fields_of(again), standing.revision)
        [written] = await store.commit([update])
        found = Document(standing.path, {**standing.data, **update.data}, written.revision)
        *earlier, last = await read_turns(run, record.step, store)
        if last.taken is None:
            before = earlier[-1].taken if earlier else None
            about = (self._scope, record.step, number(last.instance), variables)
            await self._send([turn_message(*about, before=before)])
            return
        failure = await self._go_on(found, last, variables, again=True)
        if failure is not None:
            await self._ends.bury(record.step, failure)

    async def message(
        self, of: Instance, known: Variables, resumes: int
    ) -> tuple[str, Message] | None:
        """The message of a turn or call that was put off; None where its turn is not there."""
        turn = turn_of(of.step, number(of))
        if of == turn:
            before = await self._before(of)
            about = (self._scope, of.step, number(of), known)
            return turn_message(*about, before=before, resumes=resumes)
        found = await self._deps.store.get(self._path(str(turn)))
        taken = Turn(turn, found).taken
        return None if taken is None else call_message(self._scope, of, taken, known, resumes)

    async def _before(self, of: Instance) -> TurnTaken | None:
        """The turn before one, read where it tells who speaks."""
        if number(of) == 1 or not self._declared(of.step).hand_offs:
            return None
        turn = turn_of(of.step, number(of) - 1)
        return Turn(turn, await self._deps.store.get(self._path(str(turn)))).taken

    # -- on its way -------------------------------------------------------------------------

    async def _go_on(
        self, found: Document, turn: Turn, known: Variables, *, again: bool = False
    ) -> Failure | None:
        """With `again`, what has been sent before is sent once more, unless it has ended."""
        taken, record, step = turn.taken, turn.record, turn.instance.step
        if taken is None or record is None:
            return None
        if not taken.calls:
            return await self._ends.succeed(found, record.output)
        declared = self._declared(step)
        stopped = breach(declared.limits, number(turn.instance), taken)
        if stopped is not None:
            return await self._ends.fail(found, Failure.of(stopped, step))
        calls = calls_of(turn.instance, taken)
        names = [*calls, turn.following]
        *called, sent = await self._deps.store.get_many([self._path(str(one)) for one in names])
        turn = Turn(turn.instance, turn.found, tuple(called))
        handed = handed_off(step, declared, taken)
        if handed.answers:
            turn = await answer(turn, taken, handed, self._scope.run.id, self._deps)
        if turn.is_answered:
            if await self._is_ours(turn.following, sent) or again:
                about = (self._scope, step, number(turn.following), known)
                await self._send([turn_message(*about, before=taken)])
            return None
        left = [
            one
            for index, (one, call) in enumerate(zip(calls, turn.called, strict=True))
            if index not in handed.answers and (call is None or (again and _is_left(call)))
        ]
        return await self._call(found, taken, left, known)

    async def _is_ours(self, turn: Instance, found: Document | None) -> bool:
        """Whether this delivery is to send the turn: calls that end at once would each send it.

        Whoever makes its record does; where that one dies before it has sent, its redelivery finds
        a record that nobody has claimed.
        """
        if found is not None:
            return not StepRecord.of(found.data).attempts
        path = self._path(str(turn))
        try:
            await self._deps.store.commit([Create(path, self._pending(turn).document())])
        except AlreadyExistsError:
            return False
        return True

    def _pending(self, turn: Instance) -> StepRecord:
        run = self._scope.run
        return StepRecord(
            run_id=run.id,
            flow=run.flow,
            step=str(turn),
            stage="generate",
            status=StepStatus.PENDING,
            item_of=turn.item_of,
            index=turn.index,
            expire_at=self._deps.expire_at(),
        )

    async def _call(
        self, found: Document, taken: TurnTaken, calls: Sequence[Instance], known: Variables
    ) -> Failure | None:
        """Sends calls, and asks people about those that need it."""
        permits = Permits(self._deps, self._scope)
        try:
            free = [one for one in calls if not await permits.ask(one, taken, known)]
        except ExpressionError as error:
            return await self._ends.fail(found, Failure.of(error, calls[0].step))
        await self._send([call_message(self._scope, one, taken, known) for one in free])
        return None

    async def _send(self, messages: Sequence[tuple[str, Message]]) -> None:
        for topic in dict.fromkeys(topic for topic, _ in messages):
            await self._deps.bus.publish(topic, [one for to, one in messages if to == topic])

    # -- again ------------------------------------------------------------------------------

    async def _free(self, found: Sequence[Document]) -> None:
        """What has failed can be claimed again, and what a pause has held; claims are kept."""
        freed = [(one, _freed(StepRecord.of(one.data))) for one in found]
        writes = [
            Update(one.path, StepRecord.fields_of(fields), one.revision)
            for one, fields in freed
            if fields is not None
        ]
        if writes:
            await self._deps.store.commit(writes)

    def _declared(self, step: str) -> AgentStep:
        declared = self._scope.version.flow.steps[step]
        assert isinstance(declared, AgentStep)
        return declared

    def _path(self, step: str) -> str:
        return step_path(self._scope.run.id, step)


def _is_left(call: StepRecord) -> bool:
    """Whether a call has yet to end and does not wait for a person."""
    return not (call.status.is_final or call.is_open_wait)


def _freed(record: StepRecord) -> Mapping[str, Any] | None:
    """What a record is changed by to go on. What nobody has decided on waits for that again."""
    if record.status not in _STOPPED:
        return let_go(record)
    is_undecided = record.awaited is not None and record.awaited.settled_by is None
    status = StepStatus.WAITING if is_undecided else StepStatus.PENDING
    return {"status": status, "error": None, "finished_at": None, "held": False}
