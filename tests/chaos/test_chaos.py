"""Every guarantee holds, whatever goes wrong in whatever order: one seed, one history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.chaos.cases import CASES
from tests.chaos.simulations import Block, digests, verdict_of

ENOUGH = 600  # seeds, for everything to have happened
MISFORTUNES = {
    "refused",
    "aborted",
    "lost",
    "repeated",
    "death",
    "stall",
    "duplicate",
    "late",
    "cut",
    "unheard",
    "slow model",
    "nonsense",
    "model refuses",
    "rejection",
    "redriven",
}
ERRORS = {
    "ActionFailed",
    "BusUnavailable",
    "ClaimBusy",
    "ClaimLost",
    "DeliveriesExhausted",
    "EffectUnavailable",
    "MessageInvalid",
    "ModelRefused",
    "ModelUnreachable",
    "OutputInvalid",
    "StageBudget",
    "StepTimeout",
    "StoreUnavailable",
}


def test_every_guarantee_holds_under_misfortune(
    seeds: range, playing: Mapping[range, Future[Block]]
):
    told: list[str] = []
    for seed, broken in playing[seeds].result().broken.items():
        replay = f"SEGUE_CHAOS_SEED={seed} python -m pytest tests/chaos/test_chaos.py"
        told += [f"seed {seed} breaks guarantees; replay: {replay}", *broken]
        if len(seeds) == 1:
            told += [str(line) for line in verdict_of(seed).story.lines]
    assert not told, "\n".join(told)


def test_no_kind_of_misfortune_is_missing(playing: Mapping[range, Future[Block]]):
    if sum(len(seeds) for seeds in playing) < ENOUGH:
        pytest.skip(f"fewer than {ENOUGH} seeds are run")
    met: Counter[str] = Counter()
    for block in playing.values():
        met.update(block.result().statistics)
    expected = MISFORTUNES | {f"error {code}" for code in ERRORS}
    assert expected - met.keys() == set()


def test_a_seed_tells_the_same_story_each_time(processes: ProcessPoolExecutor):
    """Here and in another process, where sets and hashes have another order."""
    seeds = range(100, 100 + len(CASES))
    elsewhere = processes.submit(digests, seeds)
    assert digests(seeds) == digests(seeds) == elsewhere.result()


def test_seeds_tell_different_stories():
    assert len(set(digests(range(0, 5 * len(CASES), len(CASES))))) == 5
