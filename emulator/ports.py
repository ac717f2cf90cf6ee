"""Ports of this machine: which is free, and whether somebody answers on one.

Imports next to nothing, as what starts first needs it. Must not know who listens.
"""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from itertools import chain, cycle

HOST = "127.0.0.1"
# Linux gives away ports from 32768 on, others from 49152 on.
_RESERVED = range(20_000, 32_000)
_TRIES = 20
# Two processes must not choose alike, whatever seeds are set; nor may one name a port again that it
# has named for what has not begun to listen yet.
_BEGINNING = random.SystemRandom().randrange(len(_RESERVED))
_round = cycle(chain(_RESERVED[_BEGINNING:], _RESERVED[:_BEGINNING]))


def listening_socket(port: int = 0) -> socket.socket:
    """Bind 127.0.0.1:port (0 = any free port)."""
    # The protocol is named because asyncio sets TCP_NODELAY only where it sees it; without that,
    # each answer of two writes waits 40 ms for an acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError as error:
        sock.close()
        message = f"{HOST}:{port} cannot be used ({error.strerror}): free it or choose another"
        raise OSError(error.errno, message) from error
    return sock


def free_port() -> int:
    """Name a port that is free now, for a process that cannot choose one itself.

    It lies below the ports that systems give to outgoing connections: one of those could take it
    before its process does, or while that process is started again. No port is named twice before
    all others were. Raises OSError where none is
    found.
    """
    for _ in range(_TRIES):
        with suppress(OSError), listening_socket(next(_round)) as sock:
            return int(sock.getsockname()[1])
    raise OSError(f"no free port on {HOST} after {_TRIES} tries: end what holds so many")


async def http_status(port: int, path: str = "/") -> int | None:
    """The status with which `GET path` is answered on 127.0.0.1; None where it is not."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                head = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                version, _, rest = (await reader.readline()).partition(b" ")
            finally:
                writer.close()
    except OSError:  # TimeoutError is one
        return None
    return int(rest[:3]) if version.startswith(b"HTTP/") and rest[:3].isdigit() else None
