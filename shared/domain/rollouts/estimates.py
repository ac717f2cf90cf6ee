"""What a sample tells: a share or a mean with its 95% interval, and quantiles. No resampling."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import fmean, variance

from shared.domain.model import Wire

_Z = 1.959963984540054  # of the normal distribution: 95 of 100


class Estimate(Wire):
    """A value with its interval; None where nothing can be told."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def share(hits: int, n: int) -> Estimate:
    """A share with Wilson's score interval (1927), which holds for few and for extreme ones."""
    if n == 0:
        return Estimate(n=0)
    p, z2 = hits / n, _Z * _Z
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = max(center - half, 0.0) if hits else 0.0
    high = min(center + half, 1.0) if hits < n else 1.0
    return Estimate(n=n, value=p, low=low, high=high)


def mean(values: Sequence[float]) -> Estimate:
    """A mean with its normal interval; of zeros and ones, it is a share."""
    n = len(values)
    if n and all(value in {0.0, 1.0} for value in values):
        return share(int(sum(values)), n)
    if n < 2:
        return Estimate(n=n, value=values[0] if values else None)
    center = fmean(values)
    half = _Z * sqrt(variance(values, center) / n)
    return Estimate(n=n, value=center, low=center - half, high=center + half)


def quantile(values: Sequence[float], q: float) -> float | None:
    """The least value that a share `q` of them does not pass; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(ceil(q * len(ordered)) - 1, 0)]
