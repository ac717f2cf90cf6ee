"""Time is virtual and costs nothing; what no seed decides is refused."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from shared.testing.simulator.virtual_loop import (
    MICRO,
    START,
    RealWorldError,
    StandstillError,
    VirtualLoop,
    run,
)


def test_a_sleep_of_a_year_takes_no_time() -> None:
    began = time.monotonic()
    assert run(_sleep_a_year) == (365 * 86_400, datetime(2027, 1, 1, tzinfo=UTC))
    assert time.monotonic() - began < 10


async def _sleep_a_year(loop: VirtualLoop) -> tuple[float, datetime]:
    await asyncio.sleep(365 * 86_400)
    return loop.time(), loop.now()


def test_tasks_wake_in_the_order_of_their_timers_and_ties_in_the_order_they_were_set() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, str]]:
        woken: list[tuple[float, str]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((loop.time(), name))

        await asyncio.gather(sleeper("c", 3), sleeper("a", 1), sleeper("b1", 2), sleeper("b2", 2))
        return woken

    assert run(main) == [(1, "a"), (2, "b1"), (2, "b2"), (3, "c")]


def test_whole_microseconds_add_up_exactly() -> None:
    async def main(loop: VirtualLoop) -> int:
        for _ in range(1000):
            await asyncio.sleep(0.1)
        return loop.micros() - START

    assert run(main) == 100 * MICRO


def test_a_timeout_strikes_at_its_time() -> None:
    async def main(loop: VirtualLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(285):
                await asyncio.sleep(400)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 15)
        return loop.time()

    assert run(main) == 300


def test_what_belongs_into_a_thread_runs_where_it_is_called() -> None:
    def failing() -> None:
        raise ValueError("no")

    async def main(_loop: VirtualLoop) -> int:
        with pytest.raises(ValueError, match="no"):
            await asyncio.to_thread(failing)
        return await asyncio.to_thread(threading.get_ident)

    assert run(main) == threading.get_ident()


def test_a_standstill_is_told() -> None:
    async def main(_loop: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(StandstillError):
        run(main)


def _from_a_thread(loop: VirtualLoop) -> None:
    caught: list[BaseException] = []

    def call() -> None:
        try:
            loop.call_soon_threadsafe(print)
        except RealWorldError as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    raise caught[0]


async def _listening(loop: VirtualLoop) -> None:
    with socket.socket() as one:
        one.setblocking(False)
        one.bind(("127.0.0.1", 0))
        one.listen()
        await loop.sock_accept(one)


REACHES: dict[str, Callable[[VirtualLoop], Awaitable[object]]] = {
    "a host": lambda loop: loop.getaddrinfo("localhost", 80),
    "a connection": lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 1),
    "a stream": lambda _loop: asyncio.open_connection("127.0.0.1", 1),
    "a server": lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
    "a socket": _listening,
    "a process": lambda _loop: asyncio.create_subprocess_exec(sys.executable),
    "a shell": lambda _loop: asyncio.create_subprocess_shell("true"),
}


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_the_real_world_is_refused(reach: Callable[[VirtualLoop], Awaitable[object]]) -> None:
    async def main(loop: VirtualLoop) -> None:
        await reach(loop)

    with pytest.raises(RealWorldError):
        run(main)


def test_another_thread_is_refused() -> None:
    async def main(loop: VirtualLoop) -> None:
        _from_a_thread(loop)

    with pytest.raises(RealWorldError, match="threads"):
        run(main)


def test_what_is_left_behind_is_ended() -> None:
    ended: list[str] = []

    async def forgotten() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forgotten")

    async def main(loop: VirtualLoop) -> str:
        task = loop.create_task(forgotten())
        await asyncio.sleep(0)
        return task.get_name()

    assert run(main)
    assert ended == ["forgotten"]
