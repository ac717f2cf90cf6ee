"""A client's flow control: what counts, and until when."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.model import Delivery, Message
from emulator.embedded.pubsub.rpc.windows import Window

END = 100


def deliveries(*sizes: int) -> list[Delivery]:
    return [
        Delivery(f"ack{number}", Message(str(number), b"x" * size, {}, 0), None, END)
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("limits", [(0, 0), (-1, -1)])
def test_without_limits_there_is_always_room(limits: tuple[int, int]) -> None:
    window = Window(*limits)
    window.sent(deliveries(*[10] * 1000))
    assert (window.room(250, 0), window.room_in_bytes(10**6)) == (250, 10**6)
    assert not window.settled(["ack0"])


def test_messages_count_until_they_are_settled() -> None:
    window = Window(3, 0)
    window.sent(deliveries(1, 1, 1))
    assert window.room(250, 0) == 0
    assert window.settled(["ack1", "ack1", "other"])
    assert window.room(250, 0) == 1
    assert not window.settled(["ack1"])


def test_bytes_count_until_they_are_settled() -> None:
    window = Window(0, 10)
    assert window.room_in_bytes(250) == 10
    window.sent(deliveries(4, 5))
    assert (window.room(250, 0), window.room_in_bytes(250)) == (250, 1)
    window.sent(deliveries(0, 0, 7)[2:])
    assert window.room(250, 0) == 0
    window.settled(["ack0", "ack1", "ack2"])
    assert window.room_in_bytes(250) == 10


def test_a_lease_that_has_ended_gives_its_room_back() -> None:
    window = Window(2, 0)
    window.sent(deliveries(1, 1))
    window.extended(["ack0", "other"], END + 50)
    assert window.room(250, END - 1) == 0
    assert window.room(250, END) == 1
    assert window.room(250, END + 50) == 1
    window.sent(deliveries(1, 1, 1)[2:])
    assert window.room(250, END + 50) == 2
