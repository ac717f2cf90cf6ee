"""Route's part when a run has ended: whoever must hear of it hears of it, once for each end.

Each listener must bear to be told twice. A run that goes on again by then is not told of: it will
end once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from shared.delivery.children.homecoming import child_ended, leave_no_child
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.rollouts.comparing import compare_run
from shared.delivery.rollouts.counting import count_end
from shared.delivery.rollouts.falling_back import fall_back
from shared.delivery.runs import undoing
from shared.delivery.runs.hooks import start_hook
from shared.delivery.runs.judging import start_judges
from shared.delivery.starts.turns import advance
from shared.domain.commands import RunEnded
from shared.domain.events import Event
from shared.domain.records import RunRecord, run_path
from shared.errors import Permanent
from shared.ports import Document, Update

# Told of the run's record as it was found, with the delivery in hand. False: it has to be told
# again later, by the next tick of `sweep`.
Listener = Callable[[Document, RunRecord, Received, Deps], Awaitable[bool]]
LISTENERS: tuple[Listener, ...] = (
    count_end,
    child_ended,
    leave_no_child,
    start_hook,
    fall_back,
    start_judges,
    compare_run,
    undoing.nothing_is_under_way,
)


async def hear(command: RunEnded, _event: Event, received: Received, deps: Deps) -> Handled:
    """Tells all who must hear of the run's end. Raises Conflict where the run moves meanwhile.

    What cannot be told is kept as a dead letter, and told again where that is redriven.
    """
    found = await deps.store.get(run_path(command.run))
    if found is None:
        return Handled("no-run")
    run = RunRecord.of(found.data)
    if not run.status.is_final:
        return Handled("run-goes-on")
    if run.control is not None:  # not lost without a mark on the run: sweep looks at keys, too
        await advance(run.control, deps)
    if not run.unheard and not received.delivery.message.redrives:
        await undoing.resume(run, received, deps)
        return Handled("heard")
    reach("decoded")
    try:
        for listener in LISTENERS:
            if not await listener(found, run, received, deps):
                return Handled("not-yet")
        is_undone = await undoing.conclude(found, run, received, deps)
    except Permanent:  # `sweep` would have it fail for ever
        await deps.store.commit([Update(found.path, {"unheard": False}, found.revision)])
        raise
    return Handled("undoing" if is_undone else "told")
