"""Every guarantee holds, whatever goes wrong in whatever order: one seed, one history."""

from __future__ import annotations

from collections import Counter

from tests.chaos.harness import trial_of, violations_of


async def test_every_guarantee_holds_under_misfortune(seed: int):
    broken = await violations_of(seed)
    replay = f"SEGUE_CHAOS_SEED={seed} python -m pytest tests/chaos/test_chaos.py"
    assert not broken, "\n".join([f"seed {seed} breaks guarantees; replay: {replay}", *broken])


async def test_a_seed_tells_the_same_story_each_time():
    for seed in (3, 11, 46):
        one, other = await trial_of(seed), await trial_of(seed)
        assert await one.play() == await other.play() == []
        assert one.bus.published == other.bus.published
        assert one.store.documents == other.store.documents


async def test_no_kind_of_misfortune_is_missing():
    met: Counter[str] = Counter()
    for seed in range(42):
        trial = await trial_of(seed)
        await trial.play()
        for faults in trial.faults.values():
            met.update(faults.injected)
        met["death"] += len(trial.pipeline.cut_down)
        met["overtaken"] += len(trial.pipeline.overtaken)
        met["slow"] += trial.perils.slow
        met["timeout"] += trial.redriven if trial.case.hurried else 0
        met.update(one.error.code for one in trial.world.telemetry.reports if one.error)
    kinds = {"before", "lost", "repeated", "death", "overtaken", "slow", "timeout"}
    kinds |= {"ClaimBusy", "ClaimLost", "ActionFailed", "MessageInvalid"}
    assert kinds <= (+met).keys(), met
