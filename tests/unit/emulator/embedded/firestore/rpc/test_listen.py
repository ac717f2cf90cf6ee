"""A Listen stream tells each target's documents, then that it is current, then what changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.model import Delete, Update
from emulator.embedded.firestore.rpc.listen import Listening
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status

DB = "projects/p/databases/d"
ROOT = f"{DB}/documents"
KINDS = ["NO_CHANGE", "ADD", "REMOVE", "CURRENT", "RESET"]
QUERY = {"parent": ROOT, "structured_query": {"from_": [{"collection_id": "c"}]}}


class Stream:
    """One call of the handler, as a client sees it: responses in short form."""

    def __init__(self) -> None:
        self.databases = Databases(count(1_700_000_000_000_000).__next__, Random(0))
        self.database = self.databases.get(DB).database
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self.responses = Listening(self.databases).listen(self._sent(), None)

    async def _sent(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not None:
            yield request

    def add(self, identifier: int = 1, **target: Any) -> None:
        wanted = {"target_id": identifier, **target}
        self._requests.put_nowait(firestore_pb.ListenRequest(database=DB, add_target=wanted))

    def send(self, **fields: Any) -> None:
        self._requests.put_nowait(firestore_pb.ListenRequest(database=DB, **fields))

    def hang_up(self) -> None:
        self._requests.put_nowait(None)

    async def take(self, number: int) -> list[str]:
        async with asyncio.timeout(5):
            return [spelled(await anext(self.responses)) for _ in range(number)]

    def put(self, path: str, n: int = 0) -> None:
        self.database.commit([Update(path, {"n": n})])


def spelled(response: Any) -> str:
    kind = response.WhichOneof("response_type")
    if kind == "target_change":
        told = response.target_change
        return " ".join([KINDS[told.target_change_type], *map(str, told.target_ids)])
    told = getattr(response, kind)
    if kind == "document_change":
        path = told.document.name.removeprefix(f"{ROOT}/")
        return f"{path} in {told.target_ids[0]}"
    verb = {"document_delete": "deleted", "document_remove": "removed"}[kind]
    return f"{told.document.removeprefix(f'{ROOT}/')} {verb} from {told.removed_target_ids[0]}"


@pytest_asyncio.fixture
async def stream() -> AsyncIterator[Stream]:
    one = Stream()
    yield one
    await one.responses.aclose()  # type: ignore[attr-defined]


async def test_a_target_becomes_current_and_is_kept_so(stream: Stream) -> None:
    stream.put("c/1")
    stream.add(query=QUERY)
    assert await stream.take(4) == ["ADD 1", "c/1 in 1", "CURRENT 1", "NO_CHANGE"]
    stream.put("c/2")
    assert await stream.take(2) == ["c/2 in 1", "NO_CHANGE"]
    stream.database.commit([Delete("c/1"), Update("c/2", {"n": 5})])
    assert await stream.take(3) == ["c/1 deleted from 1", "c/2 in 1", "NO_CHANGE"]


async def test_what_concerns_no_target_is_not_told(stream: Stream) -> None:
    stream.add(query=QUERY)
    await stream.take(3)
    stream.put("other/1")
    await asyncio.sleep(0)
    stream.put("c/1")
    assert await stream.take(2) == ["c/1 in 1", "NO_CHANGE"]


async def test_several_targets_share_a_stream(stream: Stream) -> None:
    stream.add(7, query=QUERY)
    stream.add(8, documents={"documents": [f"{ROOT}/c/1"]})
    assert await stream.take(7) == [
        *("ADD 7", "CURRENT 7", "NO_CHANGE"),
        *("ADD 8", "c/1 deleted from 8", "CURRENT 8", "NO_CHANGE"),
    ]
    stream.put("c/1")
    assert await stream.take(3) == ["c/1 in 7", "c/1 in 8", "NO_CHANGE"]
    stream.send(remove_target=7)
    assert await stream.take(1) == ["REMOVE 7"]
    stream.put("c/1", 1)
    assert await stream.take(2) == ["c/1 in 8", "NO_CHANGE"]


async def test_targets_without_an_id_are_given_one(stream: Stream) -> None:
    for identifier in (0, 2**31 - 1, 0):
        stream.add(identifier, query=QUERY)
    added = [one for one in await stream.take(9) if "ADD" in one]
    assert added == ["ADD 1", f"ADD {2**31 - 1}", "ADD 2"]


async def test_a_target_for_once_is_removed_when_it_is_current(stream: Stream) -> None:
    stream.add(query=QUERY, once=True)
    assert await stream.take(4) == ["ADD 1", "CURRENT 1", "NO_CHANGE", "REMOVE 1"]
    stream.put("c/1")
    stream.add(2, query=QUERY)
    assert await stream.take(2) == ["ADD 2", "c/1 in 2"]


async def test_times_and_tokens_never_go_back(stream: Stream) -> None:
    stream.add(query=QUERY)
    seen = [await anext(stream.responses) for _ in range(3)]
    stream.put("c/1")
    seen += [await anext(stream.responses) for _ in range(2)]
    change = seen[3].document_change.document.update_time
    first, last = seen[2].target_change, seen[4].target_change
    assert first.read_time.nanos < change.nanos <= last.read_time.nanos
    assert first.resume_token < last.resume_token


@pytest.mark.parametrize("since", [{"resume_token": b"1"}, {"read_time": {"seconds": 1}}])
async def test_a_resumed_target_is_reset_and_sent_anew(stream: Stream, since: Any) -> None:
    stream.put("c/1")
    stream.add(query=QUERY, **since)
    assert await stream.take(5) == ["ADD 1", "RESET 1", "c/1 in 1", "CURRENT 1", "NO_CHANGE"]


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"query": {"parent": ROOT}},
        {"query": {**QUERY, "parent": "projects/other/databases/d/documents"}},
        {"documents": {"documents": ["c/1"]}},
        {"query": QUERY, "target_id": -1},
    ],
)
async def test_a_bad_target_is_removed_with_the_cause_and_the_stream_goes_on(
    stream: Stream, target: Any
) -> None:
    stream.send(add_target={"target_id": 1, **target})
    told = (await anext(stream.responses)).target_change
    assert KINDS[told.target_change_type] == "REMOVE"
    assert told.cause.code == Status.INVALID_ARGUMENT
    stream.add(query=QUERY)
    assert await stream.take(3) == ["ADD 1", "CURRENT 1", "NO_CHANGE"]


async def test_an_id_in_use_is_refused(stream: Stream) -> None:
    stream.add(query=QUERY)
    stream.add(query=QUERY)
    assert (await stream.take(4))[-1] == "REMOVE 1"


async def test_a_request_for_nothing_ends_the_stream(stream: Stream) -> None:
    stream.send()
    with pytest.raises(Refusal, match="must add or remove"):
        await stream.take(1)


async def test_a_reset_of_the_database_is_told(stream: Stream) -> None:
    stream.put("c/1")
    stream.add(query=QUERY)
    await stream.take(4)
    stream.databases.reset()
    assert await stream.take(2) == ["c/1 deleted from 1", "NO_CHANGE"]


async def test_the_stream_ends_after_all_is_answered(stream: Stream) -> None:
    stream.add(query=QUERY)
    stream.hang_up()
    assert await stream.take(3) == ["ADD 1", "CURRENT 1", "NO_CHANGE"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream.responses)
    assert stream.database._listeners == []
