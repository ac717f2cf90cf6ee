"""Which arm the next run gets: by Thompson sampling (Thompson 1933) over what was recorded.

The draw comes from the run's id: the same tallies and the same run give the same arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from shared.domain.ids import digest
from shared.domain.rollouts.sequential import Tally
from shared.domain.rollouts.sticky import fraction


def draw(rollout: str, run_id: str, tallies: Mapping[str, Tally], explore: float) -> str:
    """An arm. A share `explore` (0 to 1) of the runs is spread evenly, whatever was recorded."""
    arms = sorted(tallies)
    if fraction("explore", rollout, run_id) < explore:
        return arms[int(fraction("arm", rollout, run_id) * len(arms))]
    random = Random(digest("adapt", rollout, run_id))
    drawn = {arm: _drawn(tallies[arm], random) for arm in arms}
    return max(arms, key=lambda arm: drawn[arm])


def _drawn(tally: Tally, random: Random) -> float:
    """A mean that the arm may have, from a Beta(1, 1) prior and what was recorded."""
    misses = max(tally.n - tally.total, 0.0)
    return random.betavariate(1 + max(tally.total, 0.0), 1 + misses)
