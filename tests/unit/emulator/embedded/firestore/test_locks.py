"""Locks are exclusive, first come first served, and nobody waits without end."""

from __future__ import annotations

from itertools import count

import pytest

from emulator.embedded.firestore.locks import LockTable, Owner, State, Ticket

_orders = count(1)


def owner(*, expendable: bool = False, at: int = 0) -> Owner:
    """Each is younger than the one before."""
    return Owner(next(_orders), at, expendable)


@pytest.fixture
def table() -> LockTable:
    return LockTable(wait=100, idle=200)


def held(table: LockTable, holder: Owner, *paths: str, at: int = 0) -> None:
    assert table.acquire(holder, paths, at).state is State.GRANTED


def waiting(table: LockTable, one: Owner, *paths: str, at: int = 0) -> Ticket:
    ticket = table.acquire(one, paths, at)
    assert ticket.state is State.WAITING
    return ticket


def test_what_nobody_holds_is_granted_at_once(table: LockTable) -> None:
    assert table.free(["a", "b"])
    held(table, owner(), "a", "b")
    assert not table.free(["b", "c"])
    assert table.free(["c"])


def test_what_is_held_already_is_granted_again(table: LockTable) -> None:
    one = owner()
    held(table, one, "a")
    held(table, one, "a")


def test_locks_are_passed_on_in_the_order_of_arrival(table: LockTable) -> None:
    first, *others = (owner() for _ in range(4))
    held(table, first, "a")
    tickets = [waiting(table, one, "a") for one in others]
    told: list[int] = []
    for place, ticket in enumerate(tickets):
        ticket.settled = lambda place=place: told.append(place)  # type: ignore[misc]
    for one in (first, *others):
        table.release(one, 1)
    assert told == [0, 1, 2]
    assert table.free(["a"])


def test_a_ticket_is_granted_once_it_has_all_its_locks(table: LockTable) -> None:
    one, two, both = owner(), owner(), owner()
    held(table, one, "a")
    held(table, two, "b")
    ticket = waiting(table, both, "a", "b", "c")
    table.release(one, 1)
    assert ticket.state is State.WAITING
    assert table.holder("a") is both
    table.release(two, 1)
    assert ticket.state is State.GRANTED


def test_in_a_deadlock_the_youngest_loses_at_once(table: LockTable) -> None:
    old, young = owner(), owner()
    held(table, old, "a")
    held(table, young, "b")
    blocked = waiting(table, old, "b")
    assert table.acquire(young, ["a"], 0).state is State.DEADLOCKED
    assert blocked.state is State.GRANTED
    assert young.lost is State.DEADLOCKED
    assert table.acquire(young, ["z"], 0).state is State.DEADLOCKED
    assert table.free(["z"])


def test_the_youngest_loses_also_when_it_came_first(table: LockTable) -> None:
    old, young = owner(), owner()
    held(table, young, "b")
    held(table, old, "a")
    blocked = waiting(table, young, "a")
    held(table, old, "b")
    assert blocked.state is State.DEADLOCKED


def test_a_ring_of_three_is_a_deadlock(table: LockTable) -> None:
    ring = [owner() for _ in range(3)]
    for place, one in enumerate(ring):
        held(table, one, str(place))
    tickets = [table.acquire(one, [str((place + 1) % 3)], 0) for place, one in enumerate(ring)]
    states = [ticket.state for ticket in tickets]
    assert states == [State.WAITING, State.GRANTED, State.DEADLOCKED]


def test_waiting_in_a_queue_can_be_part_of_a_deadlock(table: LockTable) -> None:
    holder, between, last = owner(), owner(), owner()
    held(table, holder, "a")
    held(table, last, "b")
    queued = waiting(table, between, "a", "c")  # holds c, waits for a
    waiting(table, last, "a")
    assert table.acquire(between, ["b"], 0).state is State.GRANTED
    assert last.lost is State.DEADLOCKED
    assert queued.state is State.WAITING


def test_an_expendable_owner_gives_way_though_it_is_older(table: LockTable) -> None:
    plain, transaction = owner(expendable=True), owner()
    held(table, plain, "a")
    held(table, transaction, "b")
    ticket = waiting(table, plain, "b")
    held(table, transaction, "a")
    assert ticket.state is State.DEADLOCKED


def test_who_waits_too_long_is_turned_away_with_all_it_holds(table: LockTable) -> None:
    holder, late, other = owner(), owner(), owner()
    held(table, holder, "a")
    held(table, late, "b")
    overdue = waiting(table, late, "a")
    behind = waiting(table, other, "b", at=50)
    table.advance(99)
    assert overdue.state is State.WAITING
    table.advance(100)
    assert overdue.state is State.OVERDUE
    assert behind.state is State.GRANTED


def test_an_idle_holder_loses_its_locks_only_to_somebody(table: LockTable) -> None:
    holder = owner()
    held(table, holder, "a", "b")
    table.advance(10_000)
    assert holder.lost is None
    ticket = waiting(table, owner(at=10_000), "b", at=10_000)
    table.advance(10_000)
    assert holder.lost is State.IDLE
    assert ticket.state is State.GRANTED
    assert table.free(["a"])


def test_who_is_heard_of_is_not_idle(table: LockTable) -> None:
    holder = owner()
    held(table, holder, "a")
    table.touch(holder, 150)
    ticket = waiting(table, owner(), "a", at=200)
    table.advance(250)
    assert ticket.state is State.WAITING


def test_who_waits_itself_is_not_idle(table: LockTable) -> None:
    first, second = owner(), owner()
    held(table, first, "a")
    held(table, second, "b")
    table.acquire(second, ["a"], 0, deadline=1_000)
    table.acquire(owner(), ["b"], 0, deadline=1_000)
    table.touch(first, 900)
    table.advance(950)
    assert second.lost is None


def test_who_got_a_lock_just_now_is_not_idle(table: LockTable) -> None:
    first, second, third = owner(), owner(), owner()
    held(table, first, "a")
    table.acquire(second, ["a"], 0, deadline=1_000)
    table.acquire(third, ["a"], 0, deadline=1_000)
    table.touch(first, 290)
    table.release(first, 300)
    table.advance(350)
    assert table.holder("a") is second


def test_a_withdrawn_ticket_leaves_the_queue_and_keeps_what_is_held(table: LockTable) -> None:
    holder, quitter, other = owner(), owner(), owner()
    held(table, holder, "a")
    held(table, quitter, "b")
    table.withdraw(waiting(table, quitter, "a"), 1)
    ticket = waiting(table, other, "a")
    table.release(holder, 2)
    assert ticket.state is State.GRANTED
    assert table.holder("b") is quitter


def test_a_withdrawn_ticket_leaves_what_another_of_its_owner_wants(table: LockTable) -> None:
    holder, twice = owner(), owner()
    held(table, holder, "a", "b")
    gone = waiting(table, twice, "a", "b")
    stays = waiting(table, twice, "b")
    table.withdraw(gone, 1)
    table.withdraw(gone, 1)
    table.release(holder, 2)
    assert stays.state is State.GRANTED
    assert gone.state is State.WITHDRAWN
    assert table.free(["a"])


def test_several_tickets_of_one_owner_are_no_deadlock(table: LockTable) -> None:
    holder, many = owner(), owner()
    held(table, holder, "a")
    tickets = [waiting(table, many, "a") for _ in range(3)]
    table.release(holder, 1)
    assert {ticket.state for ticket in tickets} == {State.GRANTED}


def test_the_next_event_is_a_deadline_or_an_idle_holder(table: LockTable) -> None:
    assert table.next_event() is None
    holder = owner()
    held(table, holder, "a")
    assert table.next_event() is None
    waiting(table, owner(), "a", at=40)
    assert table.next_event() == 140
    table.acquire(owner(), ["a"], 50, deadline=900)
    table.advance(140)
    assert table.next_event() == 200
    table.advance(200)
    assert table.next_event() is None
