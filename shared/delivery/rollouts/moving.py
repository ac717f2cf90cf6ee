"""Changes how a rollout stands: by a person, or by what a canary has proven. Every change is kept.

Promoting a version of a prompt moves the label that runs get; done again, it is done once.
"""

from __future__ import annotations

from shared.delivery.rollouts.standings import Sight
from shared.domain.prompts.refs import PromptRef, is_label
from shared.domain.rollouts.declared import Canary, Rollout, Shadow
from shared.domain.rollouts.records import RolloutRecord, Standing, rollout_path
from shared.errors import Conflict, NotFoundError, RefusedError
from shared.ports import Update
from shared.prompting.pushing import By, PromptChanges
from shared.prompting.registry import StoredPrompts

_TRIES = 5


class RolloutUnknownError(NotFoundError):
    """`segue rollouts list` shows those that runs have met; a new one is met by the next run."""


class RolloutRefusedError(RefusedError):
    """Nothing was changed; `segue rollouts show NAME` tells how it stands."""


async def move(
    name: str, to: Standing, by: str, why: str, sight: Sight, *, variant: str | None = None
) -> RolloutRecord:
    """The rollout as it stands from now on. `variant` is what is promoted, where there are several.

    Raises RolloutUnknownError, RolloutRefusedError.
    """
    for _ in range(_TRIES):
        found = await sight.store.get(rollout_path(name))
        if found is None:
            raise RolloutUnknownError(f"no run has met a rollout {name!r}")
        before = RolloutRecord.of(found.data)
        if before.status is to and variant is None:
            raise RolloutRefusedError(f"rollout {name!r} is {to} already", "already")
        changed = await _changed(before, to, variant, By(by, sight.clock.now()), sight)
        after = changed.moved(to, sight.clock.now(), by=by, why=why)
        try:
            await sight.store.commit([Update(found.path, after.document(), found.revision)])
        except Conflict:
            continue
        return after
    raise RolloutRefusedError(f"others keep changing rollout {name!r}; try again", "busy")


async def _changed(
    record: RolloutRecord, to: Standing, variant: str | None, by: By, sight: Sight
) -> RolloutRecord:
    """The record with what a promotion makes of it."""
    rollout = record.declared()
    if to is Standing.ROLLED_BACK and not isinstance(rollout.way, Canary):
        raise RolloutRefusedError(f"rollout {record.rollout!r} has no candidate; pause it", "none")
    if to is not Standing.PROMOTED:
        return record.model_copy(update={"winner": None})
    chosen = variant or (rollout.way.candidate if isinstance(rollout.way, Canary) else None)
    if chosen not in record.arms or isinstance(rollout.way, Shadow):
        there = ", ".join(record.arms)
        raise RolloutRefusedError(f"say which variant is promoted; there are {there}", "which")
    is_moved = await _label_moved(rollout, record, chosen, by, sight)
    return record.model_copy(update={"winner": None if is_moved else chosen})


async def _label_moved(
    rollout: Rollout, record: RolloutRecord, variant: str, by: By, sight: Sight
) -> bool:
    """Whether what runs get is a label, which now points at the variant's version."""
    prompt, usual = rollout.of.prompt, rollout.variants[0]
    if prompt is None or not is_label(usual):
        return False
    if variant == usual:
        return True
    found = await StoredPrompts(sight.store).pushed(PromptRef(prompt, variant))
    if found is None or found.hash != record.arms[variant]:
        told = f"{variant!r} of prompt {prompt!r} is not the version that was tried"
        raise RolloutRefusedError(told, "moved")
    await PromptChanges(sight.store).move(prompt, usual, found.number, by)
    return True
