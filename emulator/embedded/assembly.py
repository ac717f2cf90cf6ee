"""Puts the engine together: journal, cores, services, ports; and takes it apart in order.

Decides what a start and a reset comprise. Must not know what the services do.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from emulator.embedded import methods
from emulator.embedded.control import Control
from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.rpc.service import FirestoreService
from emulator.embedded.journal import Forgetful, Journal
from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.rpc.service import PubSubService
from emulator.embedded.server import Handler, PortTakenError, Server

_FLUSH_EVERY = 0.05
_log = logging.getLogger(__name__)


class StartError(Exception):
    """The engine cannot start; the message is for the person who started it."""


@dataclass(frozen=True)
class Choices:
    """How to run; the options of `python -m emulator.embedded`."""

    host: str = "127.0.0.1"
    pubsub_port: int = 0
    firestore_port: int = 0
    control_port: int = 0
    data_dir: Path | None = None
    indexes: Path | None = None
    optimistic: bool = False


class Service(Protocol):
    """What each of the two services is to this module."""

    def handlers(self) -> Mapping[str, Handler]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def reset(self) -> None: ...


async def run(choices: Choices) -> None:
    """Serve until SIGINT or SIGTERM. Raises StartError."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        addresses = await start(choices, stack)
        sys.stdout.write(json.dumps({"listening": addresses}) + "\n")
        sys.stdout.flush()
        gc.freeze()  # modules and message classes stay: no collection need look at them
        gc.enable()
        await stop.wait()


async def start(choices: Choices, stack: AsyncExitStack) -> dict[str, str]:
    """Start everything; the stack stops it. Returns name -> host:port. Raises StartError."""
    journal = _journal(choices.data_dir, stack)
    pubsub: Service = PubSubService(Broker(_now, random.Random(), journal))
    firestore: Service = FirestoreService(_databases(choices, journal))
    for service in (pubsub, firestore):
        stack.push_async_callback(service.stop)
        await service.start()
    if choices.data_dir is not None:
        flushing = asyncio.create_task(_flush_now_and_then(journal))
        stack.callback(flushing.cancel)

    async def reset() -> None:
        await pubsub.reset()
        await firestore.reset()
        journal.flush()

    servers: dict[str, Server | Control] = {
        "pubsub": Server(methods.PUBSUB, pubsub.handlers(), journal),
        "firestore": Server(methods.FIRESTORE, firestore.handlers(), journal),
        "control": Control(reset),
    }
    ports = {
        "pubsub": choices.pubsub_port,
        "firestore": choices.firestore_port,
        "control": choices.control_port,
    }
    return {
        name: await _listen(server, choices.host, ports[name], stack)
        for name, server in servers.items()
    }


async def _listen(server: Server | Control, host: str, port: int, stack: AsyncExitStack) -> str:
    try:
        got = await server.start(host, port)
    except PortTakenError as error:
        raise StartError(str(error)) from error
    stack.push_async_callback(server.stop)
    return f"{host}:{got}"


def _now() -> int:
    return time.time_ns() // 1000


def _journal(data_dir: Path | None, stack: AsyncExitStack) -> Journal:
    if data_dir is None:
        return Forgetful()
    from emulator.embedded.sqlite_journal import (  # noqa: PLC0415 - its import takes time
        DataDirError,
        SqliteJournal,
    )

    try:
        journal = SqliteJournal(data_dir)
    except DataDirError as error:
        raise StartError(str(error)) from error
    stack.callback(journal.close)
    return journal


def _databases(choices: Choices, journal: Journal) -> Databases:
    if choices.indexes is None:
        return Databases(_now, random.Random(), journal=journal, optimistic=choices.optimistic)
    from emulator.embedded.index_file import IndexFileError, read  # noqa: PLC0415 - so does YAML's

    try:
        found = read(choices.indexes)
    except IndexFileError as error:
        raise StartError(str(error)) from error
    return Databases(
        _now,
        random.Random(),
        journal=journal,
        optimistic=choices.optimistic,
        declared=found.declared,
        ttl_field=found.ttl_field,
    )


async def _flush_now_and_then(journal: Journal) -> None:
    """For what no unary call answers for: acknowledgements on streams and of pushes."""
    while True:
        await asyncio.sleep(_FLUSH_EVERY)
        try:
            journal.flush()
        except Exception as error:  # noqa: BLE001 - tried again, and told to those who call
            _log.error("the data directory cannot be written", exc_info=error)
