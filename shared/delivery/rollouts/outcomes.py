"""Takes outcomes of runs: the latest of a name counts, whatever the order in which they come.

An outcome of a run that goes on is taken too. Decides nothing about what follows from one.
"""

from __future__ import annotations

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.rollouts.counting import count_outcome
from shared.domain.commands import Outcome
from shared.domain.events import Event
from shared.domain.records import RunRecord, run_path
from shared.domain.rollouts.outcomes import OutcomeRecord, outcome_path
from shared.errors import ClaimBusyError, Conflict, EventInvalidError
from shared.ports import Create, Update

_TRIES = 4


async def take_outcome(command: Outcome, event: Event, _received: Received, deps: Deps) -> Handled:
    """Records it. Raises EventInvalidError where there is no such run: then it is kept as a dead
    letter; ClaimBusyError where others keep writing the same one.
    """
    found = await deps.store.get(run_path(command.run))
    if found is None:
        raise EventInvalidError(f"outcome {command.name!r}: there is no run {command.run!r}")
    reach("decoded")
    is_new = await _record(command, event, deps)
    reach("committed")
    await count_outcome(RunRecord.of(found.data), command.name, float(command.value), deps)
    return Handled("recorded" if is_new else "outdated")


async def _record(command: Outcome, event: Event, deps: Deps) -> bool:
    """Whether it is the latest of its name, or was when it came first."""
    path = outcome_path(command.run, command.name)
    record = OutcomeRecord(
        run_id=command.run,
        name=command.name,
        value=command.value,
        by=command.by,
        at=event.time,
        event=event.key,
        expire_at=deps.expire_at(),
    )
    for _ in range(_TRIES):
        found = await deps.store.get(path)
        try:
            if found is None:
                await deps.store.commit([Create(path, record.document())])
                return True
            before = OutcomeRecord.of(found.data)
            if (before.at, before.event) >= (record.at, record.event):
                return before.event == record.event
            await deps.store.commit([Update(path, record.document(), found.revision)])
        except Conflict:
            continue
        return True
    raise ClaimBusyError(f"outcome {command.name!r} of run {command.run}")
