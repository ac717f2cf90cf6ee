"""Counts what one step holds of its budgets, in commits that are safe to repeat.

A hold and the accounts change together, by increments whose new values come back: of two that
reserve at once, the later one sees both. Decides nothing about what is enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.delivery.deps import Deps
from shared.domain.budgets.declared import Account, Amount
from shared.domain.budgets.records import (
    EMBEDDING,
    Balance,
    HoldRecord,
    hold_path,
    increments,
)
from shared.domain.records import StepRecord
from shared.errors import ClaimLostError, Conflict
from shared.ports import Create, Delete, Document, Increment, Update, Write, Written

_GRACE = timedelta(minutes=1)  # after the claim's lease; a commit that is late may still come
_UNKNOWN = frozenset({"lost", "running"})  # attempts that did not say how many calls they made


class Till:
    """The hold of one attempt at a step. `held` is what it reserves now."""

    def __init__(self, deps: Deps, record: StepRecord, accounts: Sequence[Account]) -> None:
        self.held = Amount()
        self._deps = deps
        self._record = record
        self._accounts = {account.path: account for account in accounts}
        self._path = hold_path(record.run_id, record.step)
        self._revision: str | None = None
        self._tries = 0
        self._is_known = True  # what is stored; not after a commit whose answer was lost

    async def hold(self, wanted: Amount, *, spent: Amount, call: int) -> list[Balance]:
        """Reserves so much in place of what was held, of which so much has been spent.

        `call` counts the attempt's calls. Returns how the accounts stand then. Raises
        ClaimLostError where the hold is another's by now.
        """
        self._tries, self._is_known = self._tries + 1, False
        balances = await self._replace(self._hold(wanted, call), spent)
        self._is_known = True
        return balances

    async def _replace(self, record: HoldRecord, spent: Amount) -> list[Balance]:
        wanted = record.amount
        change = Balance(reserved=wanted + -self.held, spent=spent)
        write = self._write(record)
        try:
            changes = dict.fromkeys(self._accounts, change)
            written = await self._deps.store.commit([write, *self._counts(changes)])
        except Conflict:
            return await self._meet(record)
        return self._kept(wanted, written)

    def settlement(self, spent: Amount) -> list[Write]:
        """What gives the hold up, of which so much was spent: for the commit of the step itself.

        The hold's revision and the step's own write fence it: it is counted once. Where nobody
        knows what is held, the next attempt finds out.
        """
        if self._revision is None or not self._is_known:
            return []
        change = Balance(reserved=-self.held, spent=spent)
        return [
            Delete(self._path, self._revision),
            *self._counts(dict.fromkeys(self._accounts, change)),
        ]

    # -- the commit -------------------------------------------------------------------------

    def _hold(self, wanted: Amount, call: int) -> HoldRecord:
        attempt = len(self._record.attempts)
        return HoldRecord(
            mark=f"{self._record.fence}.{attempt}.{self._tries}.{self._record.owner}",
            fence=self._record.fence,
            attempt=attempt,
            call=call,
            usd=wanted.usd,
            tokens=wanted.tokens,
            accounts=list(self._accounts),
            until=self._until,
            expire_at=self._deps.expire_at(),
        )

    @property
    def _until(self) -> datetime | None:
        lease = self._record.lease_until
        return lease + _GRACE if lease is not None else None

    def _write(self, record: HoldRecord) -> Create | Update:
        if self._revision is None:
            return Create(self._path, record.document())
        return Update(self._path, record.document(), self._revision)

    def _counts(self, changes: dict[str, Balance]) -> list[Increment]:
        about = {"expire_at": self._deps.expire_at()}
        return [Increment(path, increments(change), about) for path, change in changes.items()]

    def _kept(self, wanted: Amount, written: Sequence[Written]) -> list[Balance]:
        self.held, self._revision = wanted, written[0].revision
        return [Balance.of(one.counters) for one in written[1 : 1 + len(self._accounts)]]

    # -- a hold that is there already -------------------------------------------------------

    async def _meet(self, record: HoldRecord) -> list[Balance]:
        found = await self._deps.store.get(self._path)
        standing = HoldRecord.of(found.data) if found is not None else None
        if found is None or standing is None or standing.fence > record.fence:
            raise ClaimLostError(f"the hold of {self._path}")
        if standing.mark == record.mark:  # our own commit, whose answer was lost
            self.held, self._revision = record.amount, found.revision
            return await self.balances()
        if self._revision is not None:
            raise ClaimLostError(f"the hold of {self._path}")
        return await self._inherit(found, standing, record)

    async def _inherit(
        self, found: Document, former: HoldRecord, record: HoldRecord
    ) -> list[Balance]:
        """An attempt was cut down in its call: what it held may have been billed, and counts."""
        spent = former.amount if self._was_made(former) else Amount()
        changes: dict[str, Balance] = defaultdict(Balance)
        for path in self._accounts:
            changes[path] = Balance(reserved=record.amount)
        for path in former.accounts:
            before = changes[path]
            reserved = before.reserved + -former.amount
            changes[path] = replace(before, reserved=reserved, spent=spent)
        write = Update(self._path, record.document(), found.revision)
        try:
            written = await self._deps.store.commit([write, *self._counts(changes)])
        except Conflict as error:
            return await self._look_again(record, error)
        return self._kept(record.amount, written)

    async def _look_again(self, record: HoldRecord, error: Conflict) -> list[Balance]:
        """Only the answer may have been lost."""
        found = await self._deps.store.get(self._path)
        if found is None or HoldRecord.of(found.data).mark != record.mark:
            raise ClaimLostError(f"the hold of {self._path}") from error
        self.held, self._revision = record.amount, found.revision
        return await self.balances()

    def _was_made(self, former: HoldRecord) -> bool:
        """Whether the call may have been made that was held for; the attempt may say it was not."""
        if former.attempt > len(self._record.attempts):
            return True
        attempt = self._record.attempts[former.attempt - 1]
        is_made = former.call == EMBEDDING or attempt.usage.llm_calls >= former.call
        return attempt.outcome in _UNKNOWN or is_made

    async def balances(self) -> list[Balance]:
        """How the accounts stand."""
        found = await self._deps.store.get_many(list(self._accounts))
        return [Balance.of(one.data) if one is not None else Balance() for one in found]
