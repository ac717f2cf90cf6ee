"""An event loop on virtual time: where all tasks wait, time jumps to the next timer.

The same tasks run in the same order each time. Real sockets, processes and threads are refused;
what `asyncio.to_thread` is given runs where it is called. Must not know what is simulated.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MICRO = 1_000_000  # microseconds in a second
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = 1_767_225_600 * MICRO  # 2026-01-01T00:00:00Z


class RealWorldError(RuntimeError):
    """Code under simulation reaches for a socket, a process or a thread, which no seed decides."""


class StandstillError(RuntimeError):
    """Every task waits for another one and no timer is set: nothing will ever happen again."""


def _refused(name: str) -> Any:
    def refuse(_loop: object, *_: object, **__: object) -> NoReturn:
        message = f"the simulator refuses {name}: use a port, or keep the code out of a simulation"
        raise RealWorldError(message)

    return refuse


class _Timers(selectors.BaseSelector):
    """Where the loop would wait for sockets it waits for nothing, and time passes."""

    def __init__(self) -> None:
        self.elapsed = 0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StandstillError("every task waits for another one")
        if timeout > 0:
            # Timers are sums of floats: what they lack to a whole microsecond is no time.
            self.elapsed += max(1, math.ceil(round(timeout * MICRO, 3)))
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._keys:  # the first one is the loop's own pipe, by which it would wake itself
            _refused("sockets and pipes")(self)
        key = selectors.SelectorKey(fileobj, -1, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` are virtual seconds since the start; `micros()` and `now()` are on the calendar."""

    def __init__(self, start: int = START) -> None:
        self._start = start
        self._timers = _Timers()
        self._thread = threading.get_ident()
        super().__init__(self._timers)
        # Timers due within it are due: that of the machine is lost in sums of large floats.
        self._clock_resolution = 1 / MICRO

    def time(self) -> float:
        return self._timers.elapsed / MICRO

    @property
    def elapsed(self) -> int:
        """Microseconds since the start."""
        return self._timers.elapsed

    def micros(self) -> int:
        """Microseconds since 1970."""
        return self._start + self._timers.elapsed

    def now(self) -> datetime:
        """Implements `Clock`."""
        return _EPOCH + timedelta(microseconds=self.micros())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def run_in_executor(
        self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Runs the function here and now: when a thread gets its turn, no seed decides."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it raises is its caller's
            future.set_exception(error)
        return future

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if threading.get_ident() != self._thread:
            _refused("threads")(self)
        return super().call_soon_threadsafe(callback, *args, context=context)

    getaddrinfo = _refused("name resolution")
    getnameinfo = _refused("name resolution")
    create_connection = _refused("connections")
    create_server = _refused("servers")
    create_unix_connection = _refused("connections")
    create_unix_server = _refused("servers")
    create_datagram_endpoint = _refused("sockets")
    sock_connect = _refused("connections")
    connect_read_pipe = _refused("pipes")
    connect_write_pipe = _refused("pipes")
    subprocess_exec = _refused("processes")
    subprocess_shell = _refused("processes")
    add_signal_handler = _refused("signals")


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Runs `main` on a loop of its own and ends what it leaves behind.

    Raises StandstillError where nothing can ever happen again. Must be called outside of any loop.
    """
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        _end_all(loop)
        loop.close()


def _end_all(loop: VirtualLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
