"""Laws of rollouts: who gets which variant, and how often a test may be wrong."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.rollouts.adapting import draw
from shared.domain.rollouts.declared import Guard
from shared.domain.rollouts.estimates import mean, quantile, share
from shared.domain.rollouts.sequential import Tally, Verdict, verdict
from shared.domain.rollouts.sticky import choose

KEYS = [f"customer-{n}" for n in range(400)]
WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.floats(0.5, 50), min_size=2, max_size=5)
ALPHA = 0.1


@settings(max_examples=30)
@given(weights=WEIGHTS, key=st.text(max_size=20))
def test_a_key_keeps_its_variant_however_the_variants_are_ordered(
    weights: dict[str, float], key: str
):
    chosen = choose("x", key, weights)
    assert chosen == choose("x", key, dict(reversed(weights.items())))
    assert chosen == choose("x", key, {name: 7 * weight for name, weight in weights.items()})


@settings(max_examples=10)
@given(weights=WEIGHTS, more=st.floats(1.1, 5), data=st.data())
def test_where_a_weight_grows_keys_move_only_to_it(
    weights: dict[str, float], more: float, data: st.DataObject
):
    grown = data.draw(st.sampled_from(sorted(weights)))
    before = {key: choose("x", key, weights) for key in KEYS}
    after = {key: choose("x", key, {**weights, grown: weights[grown] * more}) for key in KEYS}
    moved = {after[key] for key in KEYS if before[key] != after[key]}
    assert moved <= {grown}


def test_shares_are_the_weights_and_none_is_none():
    weights = {"production": 70.0, "staging": 30.0, "off": 0.0}
    chosen = [choose("x", f"k{n}", weights) for n in range(5000)]
    assert chosen.count("off") == 0
    assert 0.27 < chosen.count("staging") / 5000 < 0.33


def test_two_rollouts_choose_independently_of_each_other():
    even = {"a": 50.0, "b": 50.0}
    same = sum(choose("x", key, even) == choose("y", key, even) for key in KEYS)
    assert 140 < same < 260


# -- the sequential test --------------------------------------------------------------------------


def decided(
    candidate: float, baseline: float, margin: float, seed: int, most: int = 600
) -> Verdict:
    """What a canary comes to that is looked at again and again."""
    random = Random(seed)
    tallies = {"c": [0, 0], "b": [0, 0]}
    for n in range(most):
        arm = "c" if random.random() < 0.5 else "b"
        tallies[arm][0] += 1
        tallies[arm][1] += random.random() < (candidate if arm == "c" else baseline)
        if n % 40 == 0:
            found = verdict(
                *(Tally(n=tallies[one][0], total=tallies[one][1]) for one in "cb"),
                margin=margin,
                alpha=ALPHA,
            )
            if found is not Verdict.OPEN:
                return found
    return Verdict.OPEN


@pytest.mark.parametrize(("candidate", "margin"), [(0.7, 0.0), (0.6, 0.1)])
def test_where_nothing_is_to_be_told_a_decision_is_as_rare_as_stated(
    candidate: float, margin: float
):
    """The boundary: neither better nor worse than tolerated, looked at fifteen times."""
    runs = 200
    wrong = sum(decided(candidate, 0.7, margin, seed) is not Verdict.OPEN for seed in range(runs))
    assert wrong / runs <= ALPHA


@pytest.mark.parametrize(
    ("candidate", "margin", "expected"),
    [(0.9, 0.0, Verdict.GOOD), (0.4, 0.0, Verdict.WORSE), (0.7, 0.2, Verdict.GOOD)],
)
def test_a_clear_difference_is_found_and_told_the_right_way_round(
    candidate: float, margin: float, expected: Verdict
):
    found = [decided(candidate, 0.7, margin, seed) for seed in range(10)]
    assert found.count(expected) >= 8
    assert set(found) <= {expected, Verdict.OPEN}


@given(n=st.integers(0, 60), total=st.floats(0, 1))
def test_equal_arms_decide_nothing_without_a_margin(n: int, total: float):
    tally = Tally(n=n, total=n * total)
    assert verdict(tally, tally, margin=0, alpha=0.05) is Verdict.OPEN


@given(value=st.floats(-10, 40), other=st.floats(-10, 40))
def test_a_score_is_between_none_and_one_and_lower_cost_is_better(value: float, other: float):
    guard = Guard(metric="cost", range=(0, 30))
    assert 0 <= guard.score(value) <= 1
    if value <= other:
        assert guard.score(value) >= guard.score(other)


# -- adapting -------------------------------------------------------------------------------------


def test_the_better_arm_gets_the_most_and_every_arm_its_floor():
    tallies = {"good": Tally(n=100, total=90), "bad": Tally(n=100, total=20), "new": Tally()}
    drawn = [draw("x", f"run-{n}", tallies, 0.3) for n in range(3000)]
    assert drawn == [draw("x", f"run-{n}", tallies, 0.3) for n in range(3000)]
    counts = {arm: drawn.count(arm) / 3000 for arm in tallies}
    assert min(counts.values()) > 0.08  # a third of 30%, less what chance takes
    assert counts["good"] > 0.5
    assert counts["new"] > counts["bad"]


# -- estimates ------------------------------------------------------------------------------------


@given(n=st.integers(1, 500), data=st.data())
def test_an_interval_holds_its_share(n: int, data: st.DataObject):
    hits = data.draw(st.integers(0, n))
    found = share(hits, n)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= hits / n <= found.high <= 1


def test_estimates_of_little():
    assert mean([]).value is None
    assert (mean([3.0]).value, mean([3.0]).low) == (3.0, None)
    assert mean([0, 1, 1, 1]) == share(3, 4)
    found = mean([1.0, 2.0, 3.0])
    assert found.value == 2
    assert found.low is not None
    assert found.low < 2
    assert [quantile([4, 1, 3, 2], q) for q in (0.5, 0.95)] == [2, 4]
    assert quantile([], 0.5) is None
