"""Lets a call through when its model's quota does, fleet-wide: by counters of short windows.

A call waits in the request as long as that is worth it; then its step is put off, never dropped.
A model without a quota costs nothing here.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.envelope import ModelRequest
from shared.domain.ids import digest
from shared.domain.model_calls.quotas import (
    FULL,
    LearntRecord,
    Quota,
    Window,
    admits,
    asked_for,
    counted_in,
    counts,
    learnt_path,
    taken_back,
    window_path,
)
from shared.errors import Conflict, Transient
from shared.ports import Create, Increment, Update

_LONGEST = 60.0  # seconds that a call waits in the request
_SPREAD = 2.0  # seconds over which those that wait come back
_KEPT = timedelta(hours=1)  # of a window's counters


class Admission:
    """The calls of one attempt at a step of `flow`. `wait` is how long they may wait in all."""

    def __init__(self, deps: Deps, flow: str, wait: float) -> None:
        self._deps = deps
        self._flow = flow
        self._left = min(wait, _LONGEST)

    async def admit(self, request: ModelRequest) -> None:
        """Returns when the request may be sent. Raises StepDeferred where that is too late."""
        quota = self._deps.quotas.of(request.model)
        while quota is not None and not await self._is_let_through(request, quota):
            now = self._deps.clock.now()
            drawn = int(digest(self._deps.new_token(), length=4), 16) / 0xFFFF
            pause = Window.at(now, quota.window).left + drawn * _SPREAD
            if pause > self._left:
                told = f"the quota of {request.model} is used up; it is asked later"
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

    async def _is_let_through(self, request: ModelRequest, quota: Quota) -> bool:
        now, store = self._deps.clock.now(), self._deps.store
        window = Window.at(now, quota.window)
        path = window_path(request.model, window.number)
        before = window_path(request.model, window.number - 1)
        learnt = await self._deps.kept.get(store, learnt_path(request.model), now)
        earlier = await self._deps.kept.get(store, before, now)
        factor = LearntRecord.of(learnt.data).factor_at(now) if learnt is not None else FULL
        added, about = counts(self._flow, asked_for(request)), {"expire_at": now + _KEPT}
        [written] = await store.commit([Increment(path, added, about)])
        counted = counted_in(written.counters, earlier.data if earlier is not None else {})
        if admits(quota, counted, window.passed, factor):
            return True
        await store.commit([Increment(path, taken_back(added), about)])
        return False
