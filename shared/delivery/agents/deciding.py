"""What a person says of a call of a tool: that it may begin or not, or whether it has happened.

It is noted with the call, which `act` then ends, or makes. So it is decided once, and what is said
twice is sent twice and claimed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from shared.delivery.agents.loop import AgentLoop
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.scope import Scope, variables_at
from shared.delivery.settling import Settler
from shared.domain.agents.notes import CallMade
from shared.domain.chain import StepStatus
from shared.domain.instances import instance_of
from shared.domain.records import StepRecord, step_path
from shared.domain.signals import SignalRecord
from shared.domain.waiting import Awaited
from shared.errors import Conflict
from shared.ports import Document, Update, Write

_UNSAID = "nobody knows whether it has happened, and it is not made again"


class Deciding:
    """Takes decisions to the calls of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    async def end(self, found: Document, signal: SignalRecord, kept: Sequence[Write]) -> None:
        """Lets the call go on that is still as it was `found`. Raises Conflict where it is not."""
        record = StepRecord.of(found.data)
        awaited, note = record.awaited, record.agent
        if awaited is None or not isinstance(note, CallMade) or signal.event in awaited.past:
            return
        decided = _decided(note, awaited, signal, len(record.attempts))
        fields = {
            "status": StepStatus.PENDING,
            "agent": decided,
            "awaited": awaited.model_copy(update={"settled_by": signal.event}),
        }
        update = Update(found.path, StepRecord.fields_of(fields), found.revision)
        await self._deps.store.commit([update, *kept])
        reach("committed")
        await self.repeat(record.model_copy(update=fields))
        reach("emitted")

    async def repeat(self, record: StepRecord) -> None:
        """Sends the call that was decided on, unless its run is paused: then it is held back.

        A pause marks the agent before its calls, and this looks at the agent after the call was
        freed: one of the two always sees the other.
        """
        of = instance_of(record.step)
        paths = [step_path(record.run_id, name) for name in (of.step, record.step)]
        agent, found = await self._deps.store.get_many(paths)
        if agent is None or found is None or not _is_free(found):
            return
        if StepRecord.of(agent.data).held:
            with suppress(Conflict):  # the pause has seen it, or it has begun
                await self._deps.store.commit([Update(found.path, {"held": True}, found.revision)])
            return
        loop = AgentLoop(self._deps, self._scope, Settler(self._deps, self._scope))
        known = await variables_at(self._deps.store, self._scope, of.step, {})
        message = await loop.message(of, known, resumes=0)
        if message is not None:
            await self._deps.bus.publish(message[0], [message[1]])


def _is_free(found: Document) -> bool:
    record = StepRecord.of(found.data)
    return record.status is StepStatus.PENDING and not record.held


def _decided(note: CallMade, awaited: Awaited, signal: SignalRecord, attempts: int) -> CallMade:
    said: Mapping[str, Any] = signal.data if isinstance(signal.data, dict) else {}
    if awaited.what == "outcome" and said.get("happened") is True:
        changed = {"happened": True, "result": said.get("result")}
    elif said.get("approved") is True:
        changed = {"cleared": attempts}
    else:
        comment = f": {said['comment']}" if said.get("comment") else ""
        rejected = f"{signal.by or 'somebody'} rejected it{comment}"
        why = _UNSAID if awaited.what == "outcome" else "do not ask for it again"
        changed = {"rejected": f"{rejected}; {why}"}
    return note.model_copy(update=changed)
