"""Lets calls through that nobody waits for: only where no run goes short of money or quota by it.

They are never queued before a run's own calls: what does not fit now is not asked, or put off.
"""

from __future__ import annotations

from datetime import timedelta

from shared.delivery.deps import Deps
from shared.delivery.models.window import place_in
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.model_calls.quotas import Wanted, Window, spares
from shared.domain.records import StepRecord
from shared.errors import ShadowSkippedError

_PUT_OFF = timedelta(minutes=1)
_PATIENCE = timedelta(hours=1)


async def admit_spare(deps: Deps, wanted: Wanted) -> None:
    """Returns when it may be asked for, at the latest half a window later.

    Raises ShadowSkippedError where the quota is needed for runs.
    """
    quota = deps.quotas.of(wanted.model)
    if quota is None:
        return
    window = Window.at(deps.clock.now(), quota.window)
    if window.passed < 0.5:
        await deps.clock.sleep(quota.window * (0.5 - window.passed))
    place = await place_in(deps, wanted, quota)
    if spares(quota, place.counted, place.passed, place.factor):
        return
    await deps.store.commit([place.back])
    raise ShadowSkippedError(f"the quota of {wanted.model} is needed for runs")


async def admit_shadow_run(deps: Deps, wanted: Wanted, record: StepRecord | None) -> None:
    """The same for a step of a run that is a shadow: it is put off, for an hour at most.

    Raises StepDeferred, and ShadowSkippedError when that is over.
    """
    now = deps.clock.now()
    started = record.started_at if record is not None and record.started_at is not None else now
    try:
        await admit_spare(deps, wanted)
    except ShadowSkippedError as error:
        if now - started > _PATIENCE:
            raise
        raise StepDeferred(f"{error.detail}; this is a shadow", now + _PUT_OFF) from error
