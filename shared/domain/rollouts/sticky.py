"""Who gets which variant: the same key the same one, on every instance, with no state.

Weighted rendezvous hashing (Thaler & Ravishankar 1998; weights: Schindelhauer & Schomaker 2005):
where weights change, keys move only to variants that gain and from variants that lose.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

from shared.domain.ids import digest

_DIGITS = 13  # 52 bits: what a float holds exactly


def fraction(*parts: str) -> float:
    """A number above 0 and below 1, as good as drawn, that the parts determine."""
    return (int(digest(*parts, length=_DIGITS), 16) + 0.5) / float(16**_DIGITS)


def choose(experiment: str, key: str, weights: Mapping[str, float]) -> str:
    """The key's variant. Each has its weight's share of all keys; one of weight 0 has none."""
    scores = {
        variant: -weight / log(fraction("variant", experiment, variant, key))
        for variant, weight in weights.items()
    }
    return max(scores, key=lambda variant: (scores[variant], variant))
