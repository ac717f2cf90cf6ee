"""Laws of missed ticks: checked again and again, each is found once, whenever the checks come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.starts.cron import next_due
from shared.domain.starts.misfires import gap, ids_of
from shared.domain.starts.schedules import Schedule

START = datetime(2026, 10, 24, 20, tzinfo=UTC)  # clocks change in the night
zones = st.sampled_from(["Etc/UTC", "Europe/Berlin", "Australia/Lord_Howe"])
crons = st.sampled_from(["*/20 * * * *", "0 * * * *", "30 1,2,3 * * *", "15 */2 * * *"])
# Minutes between two checks; within the look-back, so that nothing is left out for its age.
pauses = st.lists(st.integers(1, 300), min_size=1, max_size=8)


def schedules(misfire: str) -> st.SearchStrategy[Schedule]:
    return st.builds(
        lambda cron, zone, grace: Schedule.model_validate(
            {"cron": cron, "time_zone": zone, "grace": grace, "misfire": misfire}
        ),
        crons,
        zones,
        st.integers(1, 60).map(lambda minutes: minutes * 60),
    )


def looked_for(schedule: Schedule, pauses: list[int]) -> tuple[list[datetime], datetime]:
    """All that the checks look for, where nothing ever comes, and when the last one was."""
    checked = now = START
    found: list[datetime] = []
    for minutes in pauses:
        now += timedelta(minutes=minutes)
        seen = gap(schedule, checked, now)
        found += seen.due
        checked = seen.until or checked
    return found, now


def due_until(schedule: Schedule, end: datetime) -> list[datetime]:
    found = []
    due = next_due(schedule.cron, schedule.time_zone, START)
    while due.astimezone(UTC) <= end:
        found.append(due.astimezone(UTC))
        due = next_due(schedule.cron, schedule.time_zone, due)
    return found


@given(schedules("all"), pauses)
def test_each_missed_tick_is_looked_for_once_and_in_order(
    schedule: Schedule, pauses: list[int]
) -> None:
    found, now = looked_for(schedule, pauses)
    assert found == due_until(schedule, now - timedelta(seconds=schedule.grace))


@given(schedules("once"), pauses)
def test_of_several_only_the_latest_is_looked_for(schedule: Schedule, pauses: list[int]) -> None:
    found, now = looked_for(schedule, pauses)
    due = due_until(schedule, now)
    assert set(found) <= set(due)
    assert len(set(found)) == len(found) <= len(pauses)
    is_over = due and now - due[-1] >= timedelta(seconds=schedule.grace)
    assert not is_over or found[-1] == due[-1]


@given(schedules("skip"), pauses)
def test_what_is_skipped_is_never_looked_for(schedule: Schedule, pauses: list[int]) -> None:
    assert looked_for(schedule, pauses)[0] == []


@given(schedules("all"))
def test_no_two_ticks_share_an_id(schedule: Schedule) -> None:
    found = due_until(schedule, START + timedelta(hours=6))
    ids = [tick for due in found for tick in ids_of("f", schedule, due)]
    assert len(set(ids)) == len(ids)
