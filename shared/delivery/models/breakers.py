"""The breakers of a chain of models, shared by all instances; a chain of one has none.

Nothing is written while models answer, and nothing depends on what could not be written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from shared.delivery.deps import Deps
from shared.domain.model_calls.breaker import BreakerRecord, breaker_path
from shared.errors import Conflict, Transient
from shared.ports import Create, Update

_TRIES = 3  # at a record that others are writing; one failure more or less does not matter
_NONE = ""  # the revision of what is not there yet


class Breakers:
    """What one call knows of the models it may ask."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._probing: set[str] = set()
        self._unwell: set[str] = set()  # asked all the same, as none was well

    async def order(self, models: Sequence[str]) -> list[str]:
        """The models to ask, one after another: all that are well; where none is, all."""
        if len(models) < 2:
            return list(models)
        well = [model for model in models if await self._is_to_be_asked(model)]
        if not well:
            self._unwell.update(models)
        return well or list(models)

    async def first_well(self, models: Sequence[str]) -> str | None:
        """The first model that is well, for a call that must not be the one to find that out."""
        for model in models:
            path, now = breaker_path(model), self._deps.clock.now()
            found = await self._deps.kept.get(self._deps.store, path, now)
            if found is None or BreakerRecord.of(found.data).verdict(now) == "ask":
                return model
        return None

    async def failed(self, model: str) -> None:
        """Counts a failure that says something about the model's health."""
        probed, now = model in self._probing, self._deps.clock.now()
        self._probing.discard(model)
        await self._change(model, lambda record: record.failed(now, probed=probed))

    async def answered(self, model: str) -> None:
        """Closes the breaker, where this was the probe, or was asked because none was well."""
        if model in self._probing | self._unwell:
            self._probing.discard(model)
            self._unwell.discard(model)
            await self._change(model, BreakerRecord.restored)

    async def _is_to_be_asked(self, model: str) -> bool:
        path, now = breaker_path(model), self._deps.clock.now()
        found = await self._deps.kept.get(self._deps.store, path, now)
        verdict = BreakerRecord.of(found.data).verdict(now) if found is not None else "ask"
        return verdict == "ask" or (verdict == "probe" and await self._wins_probe(model))

    async def _wins_probe(self, model: str) -> bool:
        """One call of all that see that the model has cooled down."""
        path, now = breaker_path(model), self._deps.clock.now()
        found = await self._deps.store.get(path)
        record = BreakerRecord.of(found.data) if found is not None else None
        if found is None or record is None or record.verdict(now) != "probe":
            self._deps.kept.forget(path)
            return record is None or record.verdict(now) == "ask"
        try:
            await self._deps.store.commit(
                [Update(path, record.probed(now).document(), found.revision)]
            )
        except Conflict:
            return False
        finally:
            self._deps.kept.forget(path)
        self._probing.add(model)
        return True

    async def _change(self, model: str, change: Callable[[BreakerRecord], BreakerRecord]) -> None:
        """Best effort: a call must not fail because its failure could not be counted."""
        path = breaker_path(model)
        with suppress(Transient):
            for _ in range(_TRIES):
                revision, record = await self._stored(model)
                after = change(record)
                if after is record:
                    break
                after = after.model_copy(update={"expire_at": self._deps.expire_at()})
                document = after.document()
                write = Update(path, document, revision) if revision else Create(path, document)
                with suppress(Conflict):
                    await self._deps.store.commit([write])
                    self._tell(record, after)
                    break
        self._deps.kept.forget(path)

    async def _stored(self, model: str) -> tuple[str, BreakerRecord]:
        found = await self._deps.store.get(breaker_path(model))
        if found is not None:
            return found.revision, BreakerRecord.of(found.data)
        now, expire_at = self._deps.clock.now(), self._deps.expire_at()
        return _NONE, BreakerRecord(model=model, since=now, expire_at=expire_at)

    def _tell(self, before: BreakerRecord, after: BreakerRecord) -> None:
        if before.is_open == after.is_open:
            return
        what = "fails, and is skipped for a while" if after.is_open else "answers again"
        self._deps.telemetry.log("WARNING", f"model {after.model} {what}", model=after.model)
