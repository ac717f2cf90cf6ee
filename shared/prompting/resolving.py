"""Which versions of its prompts a run gets: those that labels point at, or those that are bundled.

Asked when a run is opened, and only then; the run is pinned to the answer. A label that somebody
moved to a version unfit for the flow, or a registry that does not answer, fails no run.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.domain.events import Event
from shared.domain.prompts.refs import PRODUCTION, PromptRef
from shared.domain.version import FlowVersion, PromptVersion
from shared.errors import Permanent, Transient
from shared.ports import Labels, PromptRegistry, Telemetry
from shared.prompting.fitting import unfit

_KEPT = 64  # flow versions whose prompts were put together here
_TOLD_EVERY = timedelta(minutes=1)
# A record that cannot be read was written by hand, or by a newer deployment.
_NO_ANSWER = (Transient, ValueError)


class PromptVersionMissingError(Permanent):
    """The flow names a version of a prompt that was never pushed.

    Push it with `segue prompts push`, or correct the flow, then redrive the dead letter.
    """


class PromptVersionUnfitError(Permanent):
    """The flow names a version of a prompt that it cannot do with.

    Correct the flow, or name another version, then redrive the dead letter.
    """


class Resolver:
    """Cached per instance: labels for `every` seconds, versions for ever.

    Of many runs that are opened at once, one reads the labels.
    """

    def __init__(
        self, registry: PromptRegistry, telemetry: Telemetry, *, every: float = 5.0
    ) -> None:
        self._registry = registry
        self._telemetry = telemetry
        self._every = timedelta(seconds=every)
        self._turn = asyncio.Lock()
        self._asked: set[PromptRef] = set()
        self._labels = Labels({})
        self._read_at: datetime | None = None
        self.is_cut_off = False  # whether labels could not be read when that was last tried
        self._versions: dict[PromptRef, PromptVersion] = {}
        self._served: dict[PromptRef, PromptVersion] = {}
        self._made: OrderedDict[tuple[str, ...], FlowVersion] = OrderedDict()
        self._told_at: dict[str, datetime] = {}

    async def resolved(
        self, version: FlowVersion, event: Event | None, now: datetime
    ) -> FlowVersion:
        """The flow with the versions of its prompts that a run opened `now` gets.

        Raises PromptVersionMissingError and PromptVersionUnfitError where the flow itself names a
        version that is not there or does not fit; where that cannot be read, a Transient error.
        """
        del event  # labels are the same for all events
        refs = {called: PromptRef.read(called) for called in version.prompts}
        labels = frozenset(ref for ref in refs.values() if not ref.is_exact)
        await self._refresh(labels, now)
        chosen = {
            called: await self.found(refs[called], bundled, now)
            for called, bundled in version.prompts.items()
        }
        if all(chosen[called].version == one.version for called, one in version.prompts.items()):
            return version
        pairs = (f"{called} {one.version}" for called, one in sorted(chosen.items()))
        key = (version.version, *pairs)
        if key not in self._made:
            self._made[key] = self._fitting(version, chosen, now)
        self._made.move_to_end(key)
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return self._made[key]

    async def found(self, ref: PromptRef, bundled: PromptVersion, now: datetime) -> PromptVersion:
        """The version that a reference stands for, or what is bundled where there is none.

        Raises PromptVersionMissingError for an exact one, or a Transient error.
        """
        if ref.is_exact and ref.at == bundled.version:
            return bundled
        return await self.pointed(ref, now) or bundled

    async def pointed(self, ref: PromptRef, now: datetime) -> PromptVersion | None:
        """The version that a reference stands for; None where it is a label that is not set.

        Raises PromptVersionMissingError for an exact one, or a Transient error.
        """
        if ref.is_exact:
            return await self._exact(ref)
        await self._refresh(frozenset({ref}), now)
        number = self._labels.pointed.get(ref)
        if number is None:
            if ref.at != PRODUCTION:
                self._tell(f"label {ref.at!r} of prompt {ref.name!r} is not set", now)
            return None
        try:
            self._served[ref] = await self._exact(PromptRef(ref.name, str(number)))
        except (*_NO_ANSWER, PromptVersionMissingError) as error:
            self._tell(f"version {number} of prompt {ref.name!r} cannot be read: {error}", now)
        return self._served.get(ref)

    async def _exact(self, ref: PromptRef) -> PromptVersion:
        if ref not in self._versions:
            found = await self._registry.version(ref)
            if found is None:
                raise PromptVersionMissingError(f"prompt {ref.name!r} has no version {ref.at}")
            self._versions[ref] = found
        return self._versions[ref]

    async def _refresh(self, refs: frozenset[PromptRef], now: datetime) -> None:
        if not refs:
            return
        async with self._turn:
            if self._is_fresh(refs, now):
                return
            self._asked |= refs
            self._read_at = now  # of an outage, too: not every run has to wait for it
            try:
                self._labels = await self._registry.pointed(frozenset(self._asked))
                self.is_cut_off = False
            except _NO_ANSWER as error:
                self.is_cut_off = True
                told = "labels of prompts cannot be read; what they last pointed at is used"
                self._tell(f"{told}: {error}", now)

    def _is_fresh(self, refs: frozenset[PromptRef], now: datetime) -> bool:
        if self._read_at is None or abs(now - self._read_at) >= self._every:
            return False
        return self._labels.is_all or refs <= self._asked

    def _fitting(
        self, version: FlowVersion, chosen: Mapping[str, PromptVersion], now: datetime
    ) -> FlowVersion:
        """With those of the chosen prompts that fit; bundled ones in place of the others."""
        fitting = version
        for called, prompt in chosen.items():
            if prompt.version == version.prompts[called].version:
                continue
            tried = with_prompts(version, {**fitting.prompts, called: prompt})
            reason = unfit(tried)
            if reason is None:
                fitting = tried
                continue
            told = f"prompt {called!r}, version {prompt.version}, does not fit: {reason}"
            told = f"flow {version.flow.flow!r}: {told}"
            if PromptRef.read(called).is_exact:
                raise PromptVersionUnfitError(told)
            self._tell(f"{told}; the bundled copy is used", now)
        return fitting

    def _tell(self, message: str, now: datetime) -> None:
        """A WARNING, and of equal ones no more than one a minute."""
        before = self._told_at.get(message)
        if before is None or now - before >= _TOLD_EVERY:
            self._told_at[message] = now
            self._telemetry.log("WARNING", message)


def with_prompts(version: FlowVersion, prompts: Mapping[str, PromptVersion]) -> FlowVersion:
    """The same flow with other versions of its prompts."""
    fields = {name: getattr(version, name) for name in FlowVersion.model_fields}
    return FlowVersion.model_validate({**fields, "prompts": dict(prompts)})
