"""Opens agents: a record that stands for the turns and calls to come, and the first turn.

Decides nothing about what follows from a turn; that is decided in `loop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.delivery.agents.messages import turn_message
from shared.delivery.deps import Deps
from shared.delivery.scope import Scope
from shared.domain.agents.notes import Begun
from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord

Variables = Mapping[str, Any]


class Agents:
    """Implements `StepOpener` for the agents of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    async def record(self, step: str, variables: Variables) -> StepRecord:
        """An agent that begins."""
        del variables  # its first turn sees them
        now = self._deps.clock.now()
        timeout = self._scope.version.flow.steps[step].timeout
        return StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=step,
            stage=self._deps.stage.name,
            started_at=now,
            agent=Begun(),
            due=now + timedelta(seconds=timeout) if timeout else None,
            expire_at=self._deps.expire_at(),
        )

    def has_begun(self, found: StepRecord) -> bool:
        """False where it could not begin at first, and is opened anew after a redrive."""
        return found.agent is not None

    def anew(self, fresh: StepRecord, found: StepRecord) -> StepRecord:
        """What takes the place of the record of one that has not begun."""
        return fresh.model_copy(update={"attempts": found.attempts})

    async def begun(self, record: StepRecord, variables: Variables) -> None:
        """Sends the first turn, unless somebody is about to continue the agent."""
        if record.status is StepStatus.RUNNING and not record.held:
            topic, message = turn_message(self._scope, record.step, 1, variables)
            await self._deps.bus.publish(topic, [message])
