"""What the variants of a rollout stand for now: versions of a prompt, models, or flows."""

from __future__ import annotations

from dataclasses import dataclass

from shared.delivery.deps import Deps
from shared.domain.prompts.refs import PRODUCTION, PromptRef
from shared.domain.rollouts.declared import Rollout
from shared.domain.version import FlowVersion, PromptVersion
from shared.errors import Permanent


class VariantMissingError(Permanent):
    """A rollout names a variant that is not there.

    Push or add it, or correct the rollout, then redrive the dead letter.
    """


@dataclass(frozen=True)
class Arm:
    """One variant: `version` is that of what it stands for."""

    version: str
    prompt: PromptVersion | None = None
    flow: FlowVersion | None = None


async def arms_of(rollout: Rollout, usual: PromptVersion | None, deps: Deps) -> dict[str, Arm]:
    """By name, the one first that runs get while the rollout is paused.

    `usual` is the prompt as the run would have it without the rollout. A label that is not set is
    left out. Raises VariantMissingError, PromptVersionMissingError, or a Transient error.
    """
    if rollout.of.kind == "flow":
        return {name: _flow(name, deps) for name in rollout.variants}
    assert usual is not None
    if rollout.of.kind == "model":
        models = dict.fromkeys(name or usual.head.model for name in rollout.variants)
        return {name: _asked_of(usual, name) for name in models}
    arms: dict[str, Arm] = {}
    for name in rollout.variants:
        found = await _prompt(rollout.of.name, name, usual, deps)
        if found is not None:
            arms[name] = Arm(found.version, prompt=found)
    return arms or {PRODUCTION: Arm(usual.version, prompt=usual)}


def _flow(name: str, deps: Deps) -> Arm:
    found = deps.flows.current().get(name)
    if found is None:
        raise VariantMissingError(f"there is no sound flow {name!r}")
    return Arm(found.version, flow=found)


def _asked_of(usual: PromptVersion, model: str) -> Arm:
    fields = {name: getattr(usual, name) for name in PromptVersion.model_fields}
    others = tuple(one for one in usual.head.models if one != model)
    chain = {"model": model, "models": (model, *others) if others else ()}
    head = usual.head.model_copy(update=chain)
    prompt = PromptVersion(**{**fields, "head": head})
    return Arm(prompt.version, prompt=prompt)


async def _prompt(name: str, at: str, usual: PromptVersion, deps: Deps) -> PromptVersion | None:
    """None where `at` is a label that is not set: nothing is rolled out yet."""
    ref = PromptRef(name, at)
    if deps.resolver is None or ref.at == PRODUCTION:
        return usual if ref.at == PRODUCTION else None
    return await deps.resolver.pointed(ref, deps.clock.now())
