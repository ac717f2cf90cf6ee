"""Moments by key: order, outdated ones, and the room they take."""

from __future__ import annotations

from emulator.embedded.pubsub.timers import Timers


def due(timers, now):
    found = []
    while one := timers.pop_due(now):
        found.append(one)
    return found


def test_what_is_due_comes_in_order_and_once():
    timers = Timers()
    for key, at in ((3, 20), (1, 20), (2, 10), (4, 30)):
        timers.set(key, at)

    assert due(timers, 20) == [(10, 2), (20, 1), (20, 3)]
    assert due(timers, 20) == []
    assert timers.next() == 30


def test_a_later_moment_replaces_the_earlier():
    timers = Timers()
    timers.set(1, 10)
    timers.set(1, 20)
    timers.set(1, 15)

    assert timers.next() == 15
    assert due(timers, 100) == [(15, 1)]


def test_what_is_cancelled_never_comes():
    timers = Timers()
    timers.set(1, 10)
    timers.cancel(1)
    timers.cancel(2)

    assert timers.next() is None
    assert due(timers, 100) == []


def test_cancelled_moments_take_no_lasting_room():
    timers = Timers()
    for key in range(10_000):
        timers.set(key, 10**9 + key)
        timers.cancel(key)

    assert len(timers._heap) < 200
