"""Lets a call through when its model's quota does, fleet-wide: by counters of short windows.

A call waits in the request as long as that is worth it; then its step is put off, never dropped.
A model without a quota costs nothing here.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.delivery.models.sharing import Sharing
from shared.delivery.models.window import place_in
from shared.delivery.steps import StepTask
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.ids import digest
from shared.domain.model_calls.quotas import (
    LearntRecord,
    Quota,
    Wanted,
    Window,
    admits,
    learnt_path,
)
from shared.errors import Conflict, Transient
from shared.ports import Create, Update

_LONGEST = 60.0  # seconds that a call waits in the request
_SPREAD = 2.0  # seconds over which those that wait come back


class Admission:
    """The calls of one attempt at a step. `wait` is how long they may wait in all."""

    def __init__(self, deps: Deps, task: StepTask, wait: float) -> None:
        self._deps = deps
        self._task = task
        self._sharing = Sharing(task, deps)
        self._left = min(wait, _LONGEST)

    async def admit(self, wanted: Wanted) -> None:
        """Returns when it may be asked for. Raises StepDeferred where that is too late.

        Of a run that is a shadow: raises as `admit_shadow_run` does.
        """
        quota = self._deps.quotas.of(wanted.model)
        if quota is not None and self._task.envelope.run.shadow_of is not None:
            # Loaded where a run is a shadow.
            from shared.delivery.models.sparing import admit_shadow_run  # noqa: PLC0415

            await admit_shadow_run(self._deps, wanted, self._task.record)
            return
        while quota is not None and not await self._is_let_through(wanted, quota):
            now = self._deps.clock.now()
            drawn = int(digest(self._deps.new_token(), length=4), 16) / 0xFFFF
            pause = Window.at(now, quota.window).left + drawn * _SPREAD
            if pause > self._left:
                told = f"the quota of {wanted.model} is used up; it is asked later"
                raise StepDeferred(told, now + timedelta(seconds=pause))
            self._left -= pause
            await self._deps.clock.sleep(pause)

    async def refused(self, model: str) -> None:
        """The model has said that it is asked too much: less is let through for some time."""
        if self._deps.quotas.of(model) is None:
            return
        store, path, now = self._deps.store, learnt_path(model), self._deps.clock.now()
        with suppress(Transient, Conflict):  # somebody else learns the same at this moment
            found = await store.get(path)
            fresh = LearntRecord(model=model, at=now, expire_at=self._deps.expire_at())
            record = fresh if found is None else LearntRecord.of(found.data)
            after = record.refused(now)
            if after is None:
                return
            document = after.model_copy(update={"expire_at": self._deps.expire_at()}).document()
            write = Create(path, document) if found is None else None
            await store.commit([write or Update(path, document, found.revision if found else "")])
            told = f"{model} refuses: {after.factor / 10:g}% of its quota is used from now on"
            self._deps.telemetry.log("WARNING", told, model=model)
        self._deps.kept.forget(path)

    async def _is_let_through(self, wanted: Wanted, quota: Quota) -> bool:
        place = await place_in(self._deps, wanted, quota, await self._sharing.of(quota))
        if admits(quota, place.counted, place.passed, place.factor):
            return True
        await self._deps.store.commit([place.back])
        return False
