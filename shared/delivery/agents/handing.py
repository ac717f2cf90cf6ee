"""Ends the calls that hand a conversation on: nobody works on them, so who ends the turn does.

What comes of them is decided in `shared.domain.agents.hand_offs`; who speaks next follows from
the turn.
"""

from __future__ import annotations

from contextlib import suppress

from shared.delivery.agents.journal import Turn, calls_of
from shared.delivery.deps import Deps
from shared.domain.agents.hand_offs import HandedOff
from shared.domain.agents.notes import CallMade, TurnTaken
from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord, step_path
from shared.errors import Conflict
from shared.ports import Create, Document, Update, Write


async def answer(turn: Turn, taken: TurnTaken, handed: HandedOff, run_id: str, deps: Deps) -> Turn:
    """The turn, with its hand-offs answered, unless a pause or the run's end was there before.

    Answered once: whoever repeats it finds the records.
    """
    calls = calls_of(turn.instance, taken)
    writes: list[Write] = []
    for index, output in handed.answers.items():
        path, found = step_path(run_id, str(calls[index])), turn.calls[index]
        if found is not None and not _is_free(found):
            continue
        fields = {
            "status": StepStatus.SUCCEEDED,
            "agent": CallMade(call=taken.calls[index]),
            "output": output,
            "started_at": deps.clock.now(),
            "finished_at": deps.clock.now(),
        }
        if found is not None:
            writes.append(Update(path, StepRecord.fields_of(fields), found.revision))
            continue
        record = StepRecord.model_validate(
            {
                "run_id": run_id,
                "flow": turn.record.flow if turn.record else "",
                "step": str(calls[index]),
                "stage": deps.stage.name,
                "item_of": calls[index].item_of,
                "expire_at": deps.expire_at(),
                **fields,
            }
        )
        writes.append(Create(path, record.document()))
    if not writes:
        return turn
    with suppress(Conflict):  # somebody else has answered, or has stopped it
        await deps.store.commit(writes)
    found_now = await deps.store.get_many([step_path(run_id, str(one)) for one in calls])
    return Turn(turn.instance, turn.found, tuple(found_now))


def _is_free(found: Document) -> bool:
    record = StepRecord.of(found.data)
    return record.status is StepStatus.PENDING and not record.held
