"""What a quota lets through, how flows share it, and what is learnt from refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.domain.flow import Flow
from shared.domain.model_calls.fairness import PLACES, own_key, sharer_of
from shared.domain.model_calls.quotas import (
    FULL,
    LEAST,
    Counted,
    LearntRecord,
    Quota,
    Quotas,
    Window,
    admits,
    counted_in,
    counts,
    spares,
    taken_back,
)
from tests.functional.system import flow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIXTY = Quota(requests_per_minute=60)  # ten in a window
TOKENS = Quota(tokens_per_minute=6000)  # a thousand in a window
FRESH = LearntRecord(model="m", at=NOW, expire_at=NOW)


@pytest.mark.parametrize(
    ("quota", "counted", "passed", "factor", "is_admitted"),
    [
        (SIXTY, Counted(10, 0, 10, 1), 0.0, FULL, True),
        (SIXTY, Counted(11, 0, 11, 1), 0.9, FULL, False),
        (SIXTY, Counted(6, 0, 6, 2), 0.4, FULL, False),  # two flows: five each at first
        (SIXTY, Counted(6, 0, 5, 2), 0.4, FULL, True),
        (SIXTY, Counted(6, 0, 6, 2), 0.5, FULL, True),  # then all that is left
        (SIXTY, Counted(5, 0, 5, 1), 0.0, FULL // 2, True),
        (SIXTY, Counted(6, 0, 6, 1), 0.0, FULL // 2, False),
        (SIXTY, Counted(1, 0, 1, 50), 0.0, LEAST, True),
        (TOKENS, Counted(4, 1000, 4, 1), 0.0, FULL, True),
        (TOKENS, Counted(4, 1001, 4, 1), 0.0, FULL, False),
        (TOKENS, Counted(1, 9000, 1, 1), 0.0, FULL, True),
        (SIXTY, Counted(20, 0, 20, 1, size=20), 0.0, FULL, True),  # a batch that is alone
        (SIXTY, Counted(21, 0, 20, 1, size=20), 0.9, FULL, False),
    ],
)
def test_a_request_is_admitted_or_waits(
    quota: Quota,
    counted: Counted,
    passed: float,
    factor: int,
    is_admitted: bool,  # noqa: FBT001 - a column
):
    assert admits(quota, counted, passed, factor) is is_admitted


def test_a_small_quota_has_windows_in_which_one_request_fits():
    assert Quota(requests_per_minute=2).window == 30
    assert Window.at(NOW + timedelta(seconds=45), 30).passed == 0.5


def test_what_is_taken_back_is_still_known_to_have_been_asked_for():
    added = counts("flow", 7)
    left = {name: by + taken_back(added).get(name, 0) for name, by in added.items()}
    assert sum(left.values()) == 1
    other = counts("other", 7)
    assert counted_in(other, {**left, "expire_at": NOW}) == Counted(1, 7, 1, 2)


def test_refusals_halve_what_is_used_and_it_comes_back_slowly():
    first = FRESH.refused(NOW)
    assert first is not None
    assert first.factor == FULL // 2
    assert first.refused(NOW + timedelta(seconds=1)) is None
    assert first.factor_at(NOW + timedelta(minutes=2)) == FULL // 2 + 100
    assert first.factor_at(NOW + timedelta(hours=1)) == FULL
    record = first
    for n in range(10):
        record = record.refused(NOW + timedelta(seconds=11 * (n + 1))) or record
    assert record.factor == LEAST


def test_a_quota_says_something():
    with pytest.raises(ValidationError, match="requests_per_minute"):
        Quotas.model_validate({"models": {"m": {}}})


@pytest.mark.parametrize(
    ("quota", "counted", "passed", "factor", "is_asked"),
    [
        (SIXTY, Counted(5, 0, 0, 0), 0.5, FULL, True),
        (SIXTY, Counted(6, 0, 0, 0), 0.9, FULL, False),
        (SIXTY, Counted(1, 0, 0, 0), 0.4, FULL, False),
        (SIXTY, Counted(1, 0, 0, 0), 0.5, FULL - 1, False),
        (TOKENS, Counted(2, 500, 0, 0), 0.5, FULL, True),
        (TOKENS, Counted(1, 501, 0, 0), 0.5, FULL, False),
    ],
)
def test_what_nobody_waits_for_leaves_half_of_the_quota(
    quota: Quota,
    counted: Counted,
    passed: float,
    factor: int,
    is_asked: bool,  # noqa: FBT001 - a column
):
    assert spares(quota, counted, passed, factor) is is_asked


def test_what_nobody_waits_for_takes_no_share():
    assert counted_in(counts(None, 7), counts("flow", 7)) == Counted(1, 7, 0, 1)


def declared(more: str) -> Flow:
    return flow("a: {prompt: say, with: {text: x}}", more=more).flow


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("", None),
        ("concurrency: {limit: 2}", None),
        ("order_by: event.data.a", "event.data.a"),
        ("concurrency: {limit: 2}\nrate: {limit: 1, per: 1m, key: event.data.b}", "event.data.b"),
        ("debounce: {for: 5s, key: event.data.c}", "event.data.c"),
    ],
)
def test_a_flows_own_key_is_what_it_tells_its_runs_apart_by(more: str, key: str | None):
    assert own_key(declared(more)) == key


def test_a_key_of_the_quotas_own_is_shared_across_flows():
    by_customer = Quota.model_validate({"requests_per_minute": 1, "fair": {"key": "event.c"}})
    one, two = declared(""), declared("order_by: event.id")
    assert sharer_of(by_customer, one, {"event": {"c": 1}}) == sharer_of(
        by_customer, two, {"event": {"c": 1}}
    )
    sharers = {sharer_of(by_customer, one, {"event": {"c": n}}) for n in range(2000)}
    assert 200 < len(sharers) <= PLACES


@pytest.mark.parametrize(
    ("fair", "told"),
    [
        ("runs", "'flow' or 'key'"),
        ({"key": "event.data."}, "is not valid"),
        ({"key": "run.id"}, "there is no run"),
        ({}, "Field required"),
    ],
)
def test_shares_that_make_no_sense_are_refused(fair: object, told: str):
    with pytest.raises(ValidationError, match=told):
        Quota.model_validate({"requests_per_minute": 1, "fair": fair})
