"""The Listen method: several targets on one stream, each kept up to date.

Decides what is sent, and when; a target that is resumed is reset and sent anew. Must not know how
queries run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import count
from typing import Any

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.listen_targets import Target
from emulator.embedded.firestore.model import Change
from emulator.embedded.firestore.rpc.listen_messages import (
    Kind,
    consistent,
    event_message,
    target_change,
    target_of,
)
from emulator.embedded.firestore.rpc.wire import fill_status
from emulator.embedded.refusal import Refusal, invalid


class Listening:
    """The handler; each call of it is a stream of its own."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def listen(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Ends when the client has said its last and all is answered."""
        stream = _Stream(self._databases)
        reader = asyncio.create_task(stream.read(requests))
        try:
            while not reader.done() or stream.wake.is_set():
                await stream.wake.wait()
                stream.wake.clear()
                for response in stream.responses():
                    yield response
            reader.result()
        finally:
            stream.close()
            reader.cancel()
            await asyncio.wait([reader])


class _Stream:
    """Requests and changes since the last look; `wake` is set when there are any."""

    def __init__(self, databases: Databases) -> None:
        self.wake = asyncio.Event()
        self._databases = databases
        self._requests: list[Any] = []
        self._targets: dict[int, _Listened] = {}
        self._watched: dict[str, _Watched] = {}

    async def read(self, requests: AsyncIterator[Any]) -> None:
        """Takes what the client asks for until it is done."""
        try:
            async for request in requests:
                self._requests.append(request)
                self.wake.set()
        finally:
            self.wake.set()

    def close(self) -> None:
        for watched in self._watched.values():
            watched.stop()

    def responses(self) -> list[Any]:
        """What is to be sent now: one consistent state of each database, and its time."""
        told = [response for watched in self._watched.values() for response in self._news(watched)]
        requests, self._requests = self._requests, []
        for request in requests:
            told += self._answer(request)
        return told

    def _news(self, watched: _Watched) -> Iterator[Any]:
        changed, watched.changed = watched.changed, {}
        if not changed:
            return
        told = False
        for identifier, one in self._targets.items():
            if one.database is watched.database:
                for event in one.target.changed(changed):
                    told = True
                    yield event_message(one.database, identifier, event)
        if told:
            yield consistent(watched.database)

    def _answer(self, request: Any) -> Iterator[Any]:
        match request.WhichOneof("target_change"):
            case "add_target":
                yield from self._add(request.database, request.add_target)
            case "remove_target":
                self._targets.pop(request.remove_target, None)
                yield target_change(Kind.REMOVE, request.remove_target)
            case _:
                raise invalid("A listen request must add or remove a target.")

    def _add(self, name: str, wanted: Any) -> Iterator[Any]:
        """A target that cannot be served is removed with the cause; the stream goes on."""
        identifier = wanted.target_id or next(n for n in count(1) if n not in self._targets)
        try:
            if identifier in self._targets or identifier < 0:
                raise invalid(f"Target id {identifier} is negative or in use.")
            database = self._watch(name)
            target = target_of(database, wanted)
            events = target.start()
        except Refusal as refusal:
            response = target_change(Kind.REMOVE, identifier)
            fill_status(response.target_change.cause, refusal)
            yield response
            return
        self._targets[identifier] = _Listened(database, target)
        yield target_change(Kind.ADD, identifier)
        if wanted.WhichOneof("resume_type"):
            yield target_change(Kind.RESET, identifier)
        for event in events:
            yield event_message(database, identifier, event)
        yield consistent(database, Kind.CURRENT, identifier)
        yield consistent(database)
        if wanted.once:
            del self._targets[identifier]
            yield target_change(Kind.REMOVE, identifier)

    def _watch(self, name: str) -> Database:
        if name not in self._watched:
            self._watched[name] = _Watched(self._databases.get(name).database, self.wake)
        return self._watched[name].database


class _Listened:
    def __init__(self, database: Database, target: Target) -> None:
        self.database = database
        self.target = target


class _Watched:
    """Which documents of a database have changed since somebody looked."""

    def __init__(self, database: Database, wake: asyncio.Event) -> None:
        self.database = database
        self.changed: dict[str, None] = {}
        self._wake = wake
        self.stop: Callable[[], None] = database.watch(self._note)

    def _note(self, at: int, changes: Sequence[Change]) -> None:
        self.changed.update((change.path, None) for change in changes)
        self._wake.set()
