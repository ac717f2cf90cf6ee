"""Who may change a document now and who waits for it: exclusive locks by document path.

Decides the queues, deadlocks, how long anyone waits and when an idle holder loses its locks. Must
not know transactions, documents or any clock; source of the rule, without the numbers:
https://cloud.google.com/firestore/docs/transaction-data-contention.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

WAIT = 1_000_000
IDLE = 2_000_000


class State(Enum):
    """Of a ticket; of an owner it says why it lost its locks."""

    WAITING = "waiting"
    GRANTED = "granted"
    DEADLOCKED = "deadlocked"
    OVERDUE = "overdue"  # waited too long itself
    IDLE = "idle"  # let others wait and did nothing
    WITHDRAWN = "withdrawn"


@dataclass(eq=False, slots=True)
class Owner:
    """Holds locks and waits for more. Of two, the one with the greater `order` is younger.

    An `expendable` owner can start over unseen, so that it gives way in a deadlock before others.
    """

    order: int
    seen_at: int
    expendable: bool = False
    held: dict[str, None] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)
    lost: State | None = None


@dataclass(eq=False, slots=True)
class Ticket:
    """One request for several locks; `settled` is called once it no longer waits."""

    owner: Owner
    missing: dict[str, None]
    deadline: int
    state: State = State.WAITING
    settled: Callable[[], None] = field(default=lambda: None)


class LockTable:
    """First come, first served on every path. Times are microseconds."""

    def __init__(self, *, wait: int = WAIT, idle: int = IDLE) -> None:
        self.wait = wait
        self._idle = idle
        self._holders: dict[str, Owner] = {}
        self._queues: dict[str, deque[Owner]] = {}
        self._waiting: dict[Ticket, None] = {}

    def free(self, paths: Iterable[str]) -> bool:
        """Whether nobody holds any of them; what is held by nobody has no queue either."""
        holders = self._holders
        return not holders or not any(path in holders for path in paths)

    def holder(self, path: str) -> Owner | None:
        return self._holders.get(path)

    def acquire(
        self, owner: Owner, paths: Iterable[str], now: int, *, deadline: int | None = None
    ) -> Ticket:
        """Ask for the locks that the owner does not hold yet; the ticket may be settled at once.

        Whoever cannot get a lock because of a deadlock, or before the deadline, loses all it holds.
        """
        due = now + self.wait if deadline is None else deadline
        missing = dict.fromkeys(path for path in paths if path not in owner.held)
        ticket = Ticket(owner, missing, due)
        if owner.lost is not None:
            ticket.state = owner.lost
            return ticket
        awaited = bool(owner.held or owner.tickets)
        owner.seen_at = now
        for path in list(missing):
            if path not in self._holders:
                self._give(path, owner)
                del missing[path]
            elif owner not in self._queues.setdefault(path, deque()):
                self._queues[path].append(owner)
        if not missing:
            ticket.state = State.GRANTED
            return ticket
        owner.tickets.append(ticket)
        self._waiting[ticket] = None
        if awaited:  # nobody waits for one that has just come
            self._break_deadlocks(owner, now)
        return ticket

    def withdraw(self, ticket: Ticket, now: int) -> None:
        """Nobody is interested in the ticket any more; what its owner holds, it keeps."""
        if ticket.state is not State.WAITING:
            return
        owner = ticket.owner
        self._settle(ticket, State.WITHDRAWN)
        wanted = {path for other in owner.tickets for path in other.missing}
        for path in ticket.missing:
            if path not in wanted:
                self._leave_queue(path, owner)
        owner.seen_at = now

    def release(self, owner: Owner, now: int) -> None:
        """The owner is done: it gives everything back and waits for nothing."""
        self._lose(owner, State.WITHDRAWN, now)

    def touch(self, owner: Owner, now: int) -> None:
        """The owner has been heard of."""
        owner.seen_at = now

    def advance(self, now: int) -> None:
        """Turn away who has waited too long, then whoever holds others up and has been idle."""
        for ticket in [one for one in self._waiting if one.deadline <= now]:
            if ticket.state is State.WAITING:
                self._lose(ticket.owner, State.OVERDUE, now)
        for holder in list(self._blocking()):
            if holder.seen_at + self._idle <= now and holder.lost is None:
                self._lose(holder, State.IDLE, now)

    def next_event(self) -> int | None:
        """When `advance` will have something to do unless something happens before; None: never."""
        times = [ticket.deadline for ticket in self._waiting]
        times += [holder.seen_at + self._idle for holder in self._blocking()]
        return min(times, default=None)

    def _blocking(self) -> Iterator[Owner]:
        """Who holds what others wait for, and waits for nothing itself."""
        holders = dict.fromkeys(self._holders[path] for path in self._queues)
        return (holder for holder in holders if not holder.tickets)

    def _give(self, path: str, owner: Owner) -> None:
        self._holders[path] = owner
        owner.held[path] = None

    def _settle(self, ticket: Ticket, state: State) -> None:
        ticket.state = state
        del self._waiting[ticket]
        ticket.owner.tickets.remove(ticket)
        ticket.settled()

    def _lose(self, owner: Owner, why: State, now: int) -> None:
        if owner.lost is not None:
            return
        owner.lost = why
        for path in {path: None for ticket in owner.tickets for path in ticket.missing}:
            self._leave_queue(path, owner)
        for ticket in list(owner.tickets):
            self._settle(ticket, why)
        held, owner.held = owner.held, {}
        for path in held:
            self._pass_on(path, now)

    def _leave_queue(self, path: str, owner: Owner) -> None:
        queue = self._queues[path]
        queue.remove(owner)
        if not queue:
            del self._queues[path]

    def _pass_on(self, path: str, now: int) -> None:
        del self._holders[path]
        queue = self._queues.get(path)
        if queue is None:
            return
        heir = queue.popleft()
        if not queue:
            del self._queues[path]
        self._give(path, heir)
        heir.seen_at = now
        for ticket in list(heir.tickets):
            ticket.missing.pop(path, None)
            if not ticket.missing:
                self._settle(ticket, State.GRANTED)

    def _break_deadlocks(self, owner: Owner, now: int) -> None:
        while owner.lost is None and (cycle := self._cycle(owner)):
            victim = max(cycle, key=lambda one: (one.expendable, one.order))
            self._lose(victim, State.DEADLOCKED, now)

    def _cycle(self, start: Owner) -> list[Owner]:
        """Owners that wait for one another in a ring through `start`, or none."""
        trail: list[Owner] = [start]
        ways = [self._awaited_by(start)]
        seen = {start}
        while ways:
            following = next(ways[-1], None)
            if following is start:
                return trail
            if following is None:
                ways.pop()
                trail.pop()
            elif following not in seen:
                seen.add(following)
                trail.append(following)
                ways.append(self._awaited_by(following))
        return []

    def _awaited_by(self, owner: Owner) -> Iterator[Owner]:
        """Who holds what the owner wants, and who wants the same right before it."""
        for ticket in owner.tickets:
            for path in ticket.missing:
                yield self._holders[path]
                queue = self._queues[path]
                place = queue.index(owner)
                if place:
                    yield queue[place - 1]
