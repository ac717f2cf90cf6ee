"""Whether a candidate is worse than a baseline: a test that may be looked at after every run.

Each arm's mixture of likelihood ratios over Beta(1/2, 1/2) (Robbins 1970) is a nonnegative
martingale at its true mean, of scores in [0, 1] too (Howard et al. 2021, sub-Bernoulli): so the
product ever reaches 1/alpha with probability alpha at most (Ville), however often it is looked at.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf, lgamma, log

from shared.domain.model import Wire

_PRIOR = 0.5
_STEPS = 36  # of the golden section: within a ten-millionth of the range
_GOLDEN = 0.6180339887498949


class Tally(Wire):
    """So many runs, and the sum of their scores."""

    n: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None


class Verdict(StrEnum):
    """What is proven of the candidate. `open`: nothing yet."""

    GOOD = "good"
    WORSE = "worse"
    OPEN = "open"


def verdict(candidate: Tally, baseline: Tally, *, margin: float, alpha: float) -> Verdict:
    """GOOD: its mean is above the baseline's less `margin`; WORSE: below that.

    Either needs the product to be that large at every pair of means where it would be wrong.
    Whatever the truth, and however often it is asked: wrong with probability `alpha` at most.
    """
    if not candidate.n or not baseline.n:
        return Verdict.OPEN
    if evidence(candidate, baseline, margin) < log(1 / alpha):
        return Verdict.OPEN
    gap = candidate.total / candidate.n - baseline.total / baseline.n
    return Verdict.GOOD if gap > -margin else Verdict.WORSE


def evidence(candidate: Tally, baseline: Tally, margin: float) -> float:
    """The log of the product where it is least, of means that are `margin` apart.

    It is convex there, so whatever lies beyond them as seen from what was measured is larger.
    """
    low, high = margin, 1.0  # of the baseline's mean

    def at(mean: float) -> float:
        return _martingale(candidate, mean - margin) + _martingale(baseline, mean)

    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(_STEPS):
        if at(left) < at(right):
            high, right = right, left
            left = high - _GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + _GOLDEN * (high - low)
    return at((low + high) / 2)


def _martingale(tally: Tally, mean: float) -> float:
    hits, misses = tally.total, tally.n - tally.total
    mixed = _log_beta(_PRIOR + hits, _PRIOR + misses) - _log_beta(_PRIOR, _PRIOR)
    return mixed - _times_log(hits, mean) - _times_log(misses, 1 - mean)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _times_log(times: float, mean: float) -> float:
    if times <= 0:
        return 0.0
    return times * log(mean) if mean > 0 else -inf
