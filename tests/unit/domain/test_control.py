"""Flow control by key: the decisions, over tables of what is declared and stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.domain.starts.control import (
    Concurrency,
    Debounce,
    Rate,
    Verdict,
    admit,
    key_of,
    quiet_until,
    slot_of,
)
from shared.errors import ExpressionError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("rate", "arrivals", "begins"),
    [
        (Rate(limit=1, per=10), [0, 0, 0], [0, 10, 20]),
        (Rate(limit=1, per=10), [0, 4, 25, 26], [0, 10, 25, 35]),
        (Rate(limit=3, per=30), [0, 0, 0, 0, 0], [0, 0, 0, 10, 20]),
        (Rate(limit=3, per=30, burst=1), [0, 0, 0], [0, 10, 20]),
        (Rate(limit=3, per=30, burst=2), [0, 0, 0, 30, 30], [0, 0, 10, 30, 30]),
        (Rate(limit=2, per=1), [0, 0.1, 0.2, 0.3], [0, 0.1, 0.5, 1.0]),
    ],
)
def test_the_rate_gives_each_run_the_first_time_at_which_it_conforms(
    rate: Rate, arrivals: list[float], begins: list[float]
) -> None:
    expected, given = None, []
    for arrival in arrivals:
        slot = slot_of(rate, expected, at(arrival))
        expected = slot.next_arrival
        given.append((slot.begins - NOON).total_seconds())
    assert given == pytest.approx(begins)


@pytest.mark.parametrize(
    ("limit", "over", "present", "due", "verdict"),
    [
        (None, "wait", 99, 0, Verdict.BEGIN),
        (None, "wait", 0, 1, Verdict.WAIT),
        (2, "wait", 1, 0, Verdict.BEGIN),
        (2, "wait", 1, 5, Verdict.WAIT),
        (2, "wait", 2, 0, Verdict.WAIT),
        (2, "wait", 3, 0, Verdict.WAIT),
        (2, "drop", 1, 0, Verdict.BEGIN),
        (2, "drop", 2, 0, Verdict.DROP),
        (1, "replace", 0, 0, Verdict.BEGIN),
        (1, "replace", 1, 0, Verdict.REPLACE),
    ],
)
def test_a_run_is_let_in_where_there_is_room_and_it_is_time(
    limit: int | None, over: str, present: int, due: float, verdict: Verdict
) -> None:
    assert admit(limit, over, present, at(due), NOON) is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at_most", "since", "until"), [(None, -500, 30), (60, 0, 30), (60, -40, 20), (60, -90, 0)]
)
def test_a_quiet_period_begins_anew_with_each_event_but_not_for_ever(
    at_most: float | None, since: float, until: float
) -> None:
    debounce = Debounce.model_validate({"for": 30, "at_most": at_most})
    assert quiet_until(debounce, at(since), NOON) == at(until)


@pytest.mark.parametrize("one", [1, "1", None, True, [1], {"a": 1}, "", "null"])
@pytest.mark.parametrize("other", [1, "1", None, True, [1], {"a": 1}, "", "null"])
def test_keys_are_equal_where_their_values_are(one: object, other: object) -> None:
    keys = [key_of("f", "event.data", {"event": {"data": value}}) for value in (one, other)]
    same = type(one) is type(other) and one == other
    assert (keys[0].id == keys[1].id) is same


def test_a_key_is_of_its_flow_and_has_a_text_for_people() -> None:
    variables = {"event": {"data": "K" * 500}}
    assert key_of("f", "event.data", variables).id != key_of("g", "event.data", variables).id
    assert key_of("f", "event.data", variables).text == "K" * 200
    assert key_of("f", None, {}).text == ""


@pytest.mark.parametrize("expression", ["event.none.at.all", "cycler"])
def test_what_is_no_json_is_no_key(expression: str) -> None:
    with pytest.raises(ExpressionError):
        key_of("f", expression, {"event": {}})


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (Concurrency, {"limit": 0}),
        (Concurrency, {"limit": 1001}),
        (Concurrency, {"limit": 1, "over": "queue"}),
        (Rate, {"limit": 0, "per": "1m"}),
        (Rate, {"limit": 1, "per": "0s"}),
        (Rate, {"limit": 1, "per": "1m", "burst": 0}),
        (Debounce, {"key": "event.data"}),
        (Debounce, {"for": "1m", "extra": 1}),
    ],
)
def test_nonsense_is_refused(kind: type, declared: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(declared)
