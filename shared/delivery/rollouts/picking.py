"""Which variants the runs of an event get. Chosen when they are opened, and pinned with them.

Knows nothing of how runs are stored. Copies of the event get the flow that the first one got: that
is kept with the event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shared.delivery.deps import Deps
from shared.delivery.rollouts.arms import Arm, arms_of
from shared.delivery.rollouts.standings import standing_of
from shared.delivery.runs.choosing import chosen
from shared.delivery.runs.opening import Opening
from shared.delivery.starts.admission import require_fitting_event
from shared.domain.events import Event
from shared.domain.expressions import evaluate
from shared.domain.records import EventRecord, event_path
from shared.domain.rollouts.adapting import draw
from shared.domain.rollouts.declared import Adapt, Rollout, Shadow
from shared.domain.rollouts.picks import Picks
from shared.domain.rollouts.records import Standing, is_moot, weights
from shared.domain.rollouts.sticky import choose, fraction
from shared.domain.starts.by_name import START
from shared.domain.version import FlowVersion, PromptVersion, ShadowPrompt
from shared.errors import Permanent
from shared.prompting.fitting import unfit
from shared.prompting.resolving import with_prompts


async def picked(
    openings: Iterable[Opening], event: Event, only: str | None, deps: Deps
) -> list[Opening]:
    """The openings with their variants. One for which none can be chosen is refused.

    `only` is the flow that the event is for: then that one is opened, and no other in its place.
    """
    picking = _Picking(event, deps)
    found = list(openings)
    if only is None and event.type != START:
        found = [await picking.flow(opening) for opening in found]
        found += [one for opening in found if (one := await picking.shadow(opening)) is not None]
    elif only is not None and not found:
        found = picking.named(only)
    versions = [await picking.prompts(one) for one in await chosen(found, deps)]
    return [one for one in versions if not picking.is_vain(one)]


class _Picking:
    """The runs of one event."""

    def __init__(self, event: Event, deps: Deps) -> None:
        self._event = event
        self._deps = deps
        self._variables = {"event": event.variables()}
        self._rollouts: Sequence[Rollout] = tuple(deps.flows.library().rollouts.values())

    def named(self, only: str) -> list[Opening]:
        """A variant that was opened in place of a flow, and is opened again by its own name."""
        current = self._deps.flows.current()
        for rollout in self._rollouts:
            of = current.get(rollout.of.flow or "")
            takes = of is not None and of.flow.takes(self._event.type, self._event.subject)
            is_variant = only in rollout.variants and rollout.shadow is None
            if takes and is_variant and only in current:
                return [Opening(current[only], self._event)]
        return []

    async def flow(self, opening: Opening) -> Opening:
        """The same, or the opening of the flow that the event gets in its place."""
        name = opening.version.flow.flow
        rollout = next((one for one in self._rollouts if one.of.flow == name), None)
        if opening.refusal is not None or rollout is None or isinstance(rollout.way, Shadow):
            return opening
        try:
            arms = await arms_of(rollout, None, self._deps)
            variant = await self._kept(rollout)
            picks = await self._pick(rollout, arms, self._event.key, variant)
            version = arms[picks.variants[rollout.rollout]].flow or opening.version
            require_fitting_event(version, self._event)
        except Permanent as error:
            is_provided_for = rollout.fallback == name
            return opening if is_provided_for else replace(opening, refusal=error)
        other = rollout.fallback if rollout.fallback != version.flow.flow else None
        picks = replace(picks, of_event=picks.variants, fallback=other)
        return replace(opening, version=version, picks=picks)

    def is_vain(self, opening: Opening) -> bool:
        """Whether it is a shadow that cannot be opened: a redrive would open it in earnest."""
        is_refused = opening.picks.shadow_of is not None and opening.refusal is not None
        if is_refused:
            told = f"the shadow {opening.run_id} is left out: {opening.refusal}"
            self._deps.telemetry.log("WARNING", told)
        return is_refused

    async def shadow(self, opening: Opening) -> Opening | None:
        """The opening of the run that goes beside it, without effects."""
        name = opening.version.flow.flow
        rollout = next((one for one in self._rollouts if one.of.flow == name), None)
        if opening.refusal is not None or rollout is None or rollout.shadow is None:
            return None
        try:
            arms = await arms_of(rollout, None, self._deps)
            candidate = arms[rollout.shadow.candidate].flow
            if candidate is None or not await self._is_shadowed(rollout, arms, opening.run_id):
                return None
            require_fitting_event(candidate, self._event)
        except Permanent as error:
            self._left_out(rollout, str(error))
            return None
        variants = {rollout.rollout: rollout.shadow.candidate}
        return Opening(candidate, self._event, picks=Picks(variants, shadow_of=opening.run_id))

    async def _is_shadowed(self, rollout: Rollout, arms: Mapping[str, Arm], run_id: str) -> bool:
        """Whether the run is of the share that is shadowed."""
        assert rollout.shadow is not None
        versions = {one: arm.version for one, arm in arms.items()}
        standing = await standing_of(rollout, versions, self._deps.standings, self._deps)
        share = rollout.shadow.share / 100
        is_running = standing.record.status is Standing.RUNNING
        return is_running and fraction("shadow", rollout.rollout, run_id) < share

    async def _kept(self, rollout: Rollout) -> str | None:
        """What an earlier copy of the event got, where there was one."""
        found = await self._deps.store.get(event_path(self._event.key))
        if found is None:
            return None
        return EventRecord.of(found.data).variants.get(rollout.rollout, rollout.of.name)

    async def prompts(self, opening: Opening) -> Opening:
        """The same with the variants of its prompts, and of their models."""
        for rollout in self._rollouts:
            name = rollout.of.prompt or rollout.of.model
            if opening.refusal is not None:
                return opening
            if name not in opening.version.prompts:
                continue
            if isinstance(rollout.way, Shadow):
                opening = await self._shadowed(opening, rollout, name)
            else:
                opening = await self._prompt(opening, rollout, name)
        return opening

    async def _shadowed(self, opening: Opening, rollout: Rollout, name: str) -> Opening:
        """The same, and the candidate answers too. One that cannot is left out: it is a shadow."""
        usual, shadow = opening.version.prompts[name], None
        try:
            arms = await arms_of(rollout, usual, self._deps)
            if await self._is_shadowed(rollout, arms, opening.run_id):
                shadow = arms.get(rollout.variants[1])
        except Permanent as error:
            self._left_out(rollout, str(error))
        if shadow is None or shadow.prompt is None or shadow.version == usual.version:
            return opening
        prompt = _marked(shadow.prompt, rollout.variants[1])
        if prompt.head.retrieve is not None and usual.head.retrieve is None:
            self._left_out(rollout, "it searches, and is given what the usual prompt has found")
            return opening
        if reason := self._unfit(_with(opening.version, name, prompt)):
            self._left_out(rollout, reason)
            return opening
        fields = {one: getattr(opening.version, one) for one in FlowVersion.model_fields}
        shadows = {
            **opening.version.shadows,
            name: ShadowPrompt(rollout=rollout.rollout, prompt=prompt),
        }
        return replace(opening, version=FlowVersion(**{**fields, "shadows": shadows}))

    def _left_out(self, rollout: Rollout, reason: str) -> None:
        told = f"rollout {rollout.rollout!r}: the shadow is left out: {reason}"
        self._deps.telemetry.log("WARNING", told)

    async def _prompt(self, opening: Opening, rollout: Rollout, name: str) -> Opening:
        usual = opening.version.prompts[name]
        try:
            arms = await arms_of(rollout, usual, self._deps)
            picks = await self._pick(rollout, arms, opening.run_id, None)
        except Permanent as error:
            return replace(opening, refusal=error)
        variant = picks.variants[rollout.rollout]
        prompt = arms[variant].prompt or usual
        version = _with(opening.version, name, _marked(prompt, variant))
        reason = self._unfit(version) if prompt.version != usual.version else None
        if reason is not None:
            told = f"rollout {rollout.rollout!r}: {variant!r} does not fit: {reason}"
            self._deps.telemetry.log("WARNING", f"{told}; the usual prompt is asked")
            return opening
        return replace(opening, version=version, picks=opening.picks | picks)

    def _unfit(self, version: FlowVersion) -> str | None:
        """Why the flow cannot do with the variant of a prompt, found out once for each version."""
        known = self._deps.unfit
        if version.version not in known:
            known[version.version] = unfit(version)
        return known[version.version]

    async def _pick(
        self, rollout: Rollout, arms: dict[str, Arm], run_id: str, variant: str | None
    ) -> Picks:
        name, versions = rollout.rollout, {one: arm.version for one, arm in arms.items()}
        standing = await standing_of(rollout, versions, self._deps.standings, self._deps)
        record, tallies = standing.record, standing.tallies
        if variant is None or variant not in arms:
            adapts = isinstance(rollout.way, Adapt) and record.status is Standing.RUNNING
            if isinstance(rollout.way, Adapt) and adapts:
                known = {arm: tallies[arm] for arm in arms if arm in tallies}
                variant = draw(name, run_id, known, rollout.way.explore / 100)
            else:
                shares = _named(weights(rollout, record), arms)
                variant = choose(name, self._key(rollout), shares)
        is_counted = bool(rollout.guards) and not is_moot(rollout, versions)
        return Picks({name: variant}, {name: record.trial} if is_counted else {})

    def _key(self, rollout: Rollout) -> str:
        if rollout.key is None:
            return self._event.key
        return json.dumps(evaluate(rollout.key, self._variables), sort_keys=True, default=str)


def _named(shares: Mapping[str, float], arms: Mapping[str, Arm]) -> Mapping[str, float]:
    """Shares by the names of the arms: of a model's rollout, the usual one has the model's.

    A label that is not set gets none.
    """
    usual, *_ = arms
    known = {name or usual: share for name, share in shares.items() if (name or usual) in arms}
    return known if any(known.values()) else {usual: 100.0}


def _marked(prompt: PromptVersion, variant: str) -> PromptVersion:
    fields = {name: getattr(prompt, name) for name in PromptVersion.model_fields}
    return PromptVersion(**{**fields, "variant": variant})


def _with(version: FlowVersion, name: str, prompt: PromptVersion) -> FlowVersion:
    return with_prompts(version, {**version.prompts, name: prompt})
