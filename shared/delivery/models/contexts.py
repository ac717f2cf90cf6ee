"""Prefixes that the model keeps, fleet-wide: found, made once, or done without.

Whatever goes wrong here, the call is made all the same, with its whole prefix.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from shared.delivery.budgets.purse import Purse
from shared.delivery.deps import Deps
from shared.delivery.steps import StepTask
from shared.domain.budgets.declared import amount
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.contexts import (
    ContextRecord,
    context_path,
    is_worth_keeping,
    most_prefix,
)
from shared.domain.records import Tokens
from shared.errors import Conflict, SegueError, StoreUnavailableError
from shared.ports import ContextCaches, Create, Document, KeptContext, ModelReply, Update

_MAKING = timedelta(seconds=60)  # that whoever makes one is waited for
_LATER = timedelta(hours=1)  # that nobody tries again where the API has refused
_EARLY = timedelta(seconds=60)  # before its end it is used no more: a call has to arrive in time
_LONGEST = 15.0  # seconds that making one may take
_SHARE = 4  # of the call's time at most


class Contexts:
    """The caches that the calls of one attempt at a step use."""

    def __init__(self, task: StepTask, deps: Deps, seconds: float) -> None:
        self._task = task
        self._deps = deps
        self._seconds = min(_LONGEST, seconds / _SHARE)

    async def find(self, request: ModelRequest, purse: Purse | None) -> str | None:
        """The name of a cache that holds the request's prefix; None where it is sent whole.

        Raises ClaimLostError.
        """
        port, ttl = self._deps.contexts, request.context_for
        if port is None or ttl is None or not is_worth_keeping(request):
            return None
        path, now = context_path(request), self._deps.clock.now()
        try:
            found = await self._deps.kept.get(self._deps.store, path, now)
        except StoreUnavailableError:
            return None
        record = ContextRecord.of(found.data) if found is not None else None
        if record is not None and now < record.expire_at:
            return record.name
        dearest = port.cost(request.model, most_prefix(request), ttl)
        if dearest is None:  # what it costs could not be told to anybody
            return None
        revision = await self._win(request, path, found)
        if revision is None:
            return None
        wanted = amount(dearest, most_prefix(request))
        if purse is not None and not await purse.affords(request, wanted):
            return None
        return await self._make(port, request, ttl, revision)

    async def lost(self, request: ModelRequest) -> None:
        """The API has refused a request with its cache, and answered it without: others are told.

        Not where its time was over when the request arrived. Best effort: nothing depends on it but
        a refused request each time.
        """
        path, now = context_path(request), self._deps.clock.now()
        with suppress(Conflict, StoreUnavailableError):
            found = await self._deps.store.get(path)
            known = ContextRecord.of(found.data) if found is not None else None
            if found is None or known is None or known.expire_at <= now:
                return
            if known.name == request.context:
                record = self._record(request, now + _LATER)
                await self._deps.store.commit([Update(path, record.document(), found.revision)])
                self._deps.kept.forget(path)
                self._tell(request, "a request with it was refused")

    async def _win(self, request: ModelRequest, path: str, found: Document | None) -> str | None:
        """The revision at which this call alone may make one; None where another one does."""
        record = self._record(request, self._deps.clock.now() + _MAKING).document()
        write = Create(path, record) if found is None else Update(path, record, found.revision)
        try:
            [written] = await self._deps.store.commit([write])
        except (Conflict, StoreUnavailableError):
            return None
        finally:
            self._deps.kept.forget(path)
        return written.revision

    async def _make(
        self, port: ContextCaches, request: ModelRequest, ttl: float, revision: str
    ) -> str | None:
        began = self._deps.clock.now()
        try:
            made = await self._kept(port, request, ttl)
        except SegueError as error:
            await self._keep(request, self._record(request, began + _LATER), revision)
            self._tell(request, str(error))
            return None
        end = began + timedelta(seconds=ttl) - _EARLY
        about = {"name": made.name, "tokens": made.tokens}
        record = self._record(request, end).model_copy(update=about)
        await self._keep(request, record, revision)
        return made.name

    async def _kept(self, port: ContextCaches, request: ModelRequest, ttl: float) -> KeptContext:
        """It is billed to the step that makes it: reading it once, and keeping it all its time."""
        spent, model = self._task.spent, request.model
        with spent.keeping(port, model, self._deps.clock.now) as asked:
            made = await port.make(request, ttl=ttl, seconds=self._seconds)
            tokens = Tokens(input=made.tokens)
            asked.reply = ModelReply("", tokens, model)
            asked.cost_usd = port.cost(model, made.tokens, ttl)
        spent.bill(tokens, asked.cost_usd)
        return made

    async def _keep(self, request: ModelRequest, record: ContextRecord, revision: str) -> None:
        path = context_path(request)
        with suppress(Conflict, StoreUnavailableError):  # then it is this call's alone
            await self._deps.store.commit([Update(path, record.document(), revision)])
        self._deps.kept.forget(path)

    def _record(self, request: ModelRequest, until: datetime) -> ContextRecord:
        return ContextRecord(
            model=request.model,
            run_id=self._task.envelope.run.id,
            step=self._task.envelope.step,
            at=self._deps.clock.now(),
            expire_at=until,
        )

    def _tell(self, request: ModelRequest, why: str) -> None:
        told = f"{request.model} keeps no context for an hour, and is sent all of it: {why}"
        self._deps.telemetry.log("WARNING", told, model=request.model)
