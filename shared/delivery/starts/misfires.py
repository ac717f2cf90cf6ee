"""Looks for ticks of schedules that never came, and turns away those that came too late.

Which ones count is decided in `shared.domain.starts.misfires`. A check that is repeated publishes
the same events again, which are the same runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.runs.opening import Opening
from shared.domain import ids
from shared.domain.flow import ScheduleTrigger
from shared.domain.records import event_path, run_path
from shared.domain.starts.schedule_records import ScheduleRecord, schedule_path
from shared.domain.starts.schedules import SOURCE, Schedule, late_tick, tick_id
from shared.errors import Conflict
from shared.ports import Create, Document, Update


async def check_schedules(received: Received, deps: Deps) -> Handled:
    """Publishes the ticks of today's schedules that are missing and still count.

    A schedule that is new or has changed counts from now on.
    """
    flows = {
        name: version.flow.on.schedule
        for name, version in sorted(deps.flows.current().items())
        if isinstance(version.flow.on, ScheduleTrigger)
        and version.flow.on.schedule.misfire != "skip"
    }
    known = await deps.store.get_many([schedule_path(flow) for flow in flows]) if flows else []
    caught_up: list[str] = []
    for (flow, schedule), found in zip(flows.items(), known, strict=True):
        caught_up += await _catch_up(flow, schedule, found, deps)
    received.describe({}, schedules=len(flows), caught_up=caught_up)
    return Handled("checked")


async def _catch_up(flow: str, schedule: Schedule, found: Document | None, deps: Deps) -> list[str]:
    """The ids of the ticks published."""
    from shared.domain.starts.misfires import gap  # noqa: PLC0415 - only schedules need cron

    now = deps.clock.now()
    record = ScheduleRecord.of(found.data) if found is not None else None
    if record is None or (record.cron, record.time_zone) != (schedule.cron, schedule.time_zone):
        await _note(flow, schedule, now, found, deps)
        return []
    open_gap = gap(schedule, record.checked, now)
    missing = [due for due in open_gap.due if not await _has_come(flow, schedule, due, deps)]
    messages = [late_tick(flow, schedule, due) for due in missing]
    if messages:
        await deps.bus.publish("events", messages)
        reach("emitted")
    told = [message.attributes["ce-id"] for message in messages]
    for tick in told:
        deps.telemetry.log("WARNING", f"tick {tick} had not come; it is made up for")
    if open_gap.until is not None:
        await _note(flow, schedule, open_gap.until, found, deps)
    return told


async def _has_come(flow: str, schedule: Schedule, due: datetime, deps: Deps) -> bool:
    """One read as a rule: a tick is published in the minute it is due in."""
    from shared.domain.starts.misfires import ids_of  # noqa: PLC0415 - only schedules need cron

    first, *others = (event_path(ids.event_key(SOURCE, i)) for i in ids_of(flow, schedule, due))
    if await deps.store.get(first) is not None:
        return True
    return any(found is not None for found in await deps.store.get_many(others))


async def _note(
    flow: str, schedule: Schedule, checked: datetime, found: Document | None, deps: Deps
) -> None:
    """Writes down how far the schedule is checked, unless another check has."""
    record = ScheduleRecord(
        flow=flow, cron=schedule.cron, time_zone=schedule.time_zone, checked=checked
    )
    path, document = schedule_path(flow), record.document()
    with suppress(Conflict):
        if found is None:
            await deps.store.commit([Create(path, document)])
        else:
            await deps.store.commit([Update(path, document, found.revision)])


async def in_time(openings: Sequence[Opening], received: Received, deps: Deps) -> list[Opening]:
    """Without those of a tick that is taken up too late; a run that is open already goes on."""
    delivery = received.delivery
    if tick_id(delivery.message.attributes, delivery.published_at) is None:
        return list(openings)
    return [one for one in openings if not await _is_turned_away(one, delivery.published_at, deps)]


async def _is_turned_away(opening: Opening, published_at: datetime, deps: Deps) -> bool:
    from shared.domain.starts.misfires import is_too_late  # noqa: PLC0415 - only schedules need cron

    trigger = opening.version.flow.on
    if not isinstance(trigger, ScheduleTrigger):
        return False
    if not is_too_late(trigger.schedule, published_at, deps.clock.now()):
        return False
    if await deps.store.get(run_path(opening.run_id)) is not None:
        return False
    told = f"tick {opening.event.id} comes too late; its schedule says {trigger.schedule.misfire}"
    deps.telemetry.log("INFO", told)
    return True
