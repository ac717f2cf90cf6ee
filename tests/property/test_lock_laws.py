"""Laws of the lock table, over random requests, releases and waits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.embedded.firestore.locks import LockTable, Owner, State, Ticket

WAIT, IDLE = 100, 60
PATHS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3)


class Locking(RuleBasedStateMachine):
    """Keeps for itself only who asked for what, and when."""

    @initialize()
    def begin(self) -> None:
        self.table = LockTable(wait=WAIT, idle=IDLE)
        self.now = 0
        self.orders = count()
        self.arrivals = count()
        self.owners: list[Owner] = []
        self.tickets: list[tuple[Ticket, int]] = []
        self.arrived: dict[tuple[Owner, str], int] = {}

    @rule(paths=PATHS, expendable=st.booleans())
    def somebody_comes(self, paths: list[str], expendable: bool) -> None:  # noqa: FBT001
        owner = Owner(next(self.orders), self.now, expendable)
        self.owners.append(owner)
        self.ask(owner, paths)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), paths=PATHS)
    def somebody_wants_more(self, data: st.DataObject, paths: list[str]) -> None:
        self.ask(data.draw(st.sampled_from(self.live())), paths)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def somebody_is_done(self, data: st.DataObject) -> None:
        self.table.release(data.draw(st.sampled_from(self.live())), self.now)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        self.table.withdraw(data.draw(st.sampled_from(self.waiting())), self.now)
        self.forget_who_left()

    @rule(span=st.integers(1, 150))
    def time_passes(self, span: int) -> None:
        self.now += span
        self.table.advance(self.now)

    def ask(self, owner: Owner, paths: list[str]) -> None:
        for path in paths:
            if path not in owner.held:
                self.arrived.setdefault((owner, path), next(self.arrivals))
        ticket = self.table.acquire(owner, paths, self.now)
        self.tickets.append((ticket, self.now))

    def forget_who_left(self) -> None:
        for owner, path in list(self.arrived):
            if path not in owner.held and path not in set(wanted(owner)):
                del self.arrived[owner, path]

    def live(self) -> list[Owner]:
        return [owner for owner in self.owners if owner.lost is None]

    def waiting(self) -> list[Ticket]:
        return [ticket for ticket, _ in self.tickets if ticket.state is State.WAITING]

    @invariant()
    def nobody_shares_a_lock(self) -> None:
        held = [path for owner in self.owners for path in owner.held]
        assert len(held) == len(set(held))
        for owner in self.owners:
            assert all(self.table.holder(path) is owner for path in owner.held)
            assert not (owner.lost and (owner.held or owner.tickets))

    @invariant()
    def who_waits_waits_for_somebody_and_nobody_in_a_ring(self) -> None:
        for ticket in self.waiting():
            assert ticket.missing
            assert all(not self.table.free([path]) for path in ticket.missing)
        for owner in self.live():
            assert owner not in set(self.reachable(owner))

    @invariant()
    def the_holder_came_before_all_who_wait(self) -> None:
        for owner in self.live():
            for path in wanted(owner):
                holder = self.table.holder(path)
                assert holder is not None
                assert self.arrived[holder, path] < self.arrived[owner, path]

    @invariant()
    def nobody_waits_longer_than_is_allowed(self) -> None:
        for ticket, since in self.tickets:
            assert ticket.state is not State.WAITING or self.now < since + WAIT

    def reachable(self, start: Owner) -> Iterator[Owner]:
        """Whom `start` waits for, directly or not."""
        seen: set[Owner] = set()
        ways = [start]
        while ways:
            for other in self.awaited(ways.pop()):
                yield other
                if other not in seen:
                    seen.add(other)
                    ways.append(other)

    def awaited(self, owner: Owner) -> Iterator[Owner]:
        """Who holds what the owner wants, and who wanted it before."""
        for path in wanted(owner):
            mine = self.arrived[owner, path]
            for other in self.live():
                concerned = path in other.held or path in set(wanted(other))
                if concerned and self.arrived[other, path] < mine:
                    yield other

    def teardown(self) -> None:
        """Once all are done, everything is free."""
        if not hasattr(self, "table"):
            return
        self.time_passes(WAIT)
        assert self.waiting() == []
        for owner in self.owners:
            self.table.release(owner, self.now)
        assert self.table.free("abcd")
        assert self.table.next_event() is None


def wanted(owner: Owner) -> Iterator[str]:
    return (path for ticket in owner.tickets for path in ticket.missing)


TestLockLaws = Locking.TestCase
TestLockLaws.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
