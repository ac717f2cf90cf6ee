"""The embedded engine as a process: no client can bring it down, and a folder keeps its data."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
import pytest_asyncio

from emulator.embedded import methods
from emulator.embedded.messages import firestore_pb, pubsub_pb
from emulator.embedded.methods import Shape
from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineStartError
from emulator.ports import listening_socket

PUBLISHER, SUBSCRIBER = "/google.pubsub.v1.Publisher/", "/google.pubsub.v1.Subscriber/"
FIRESTORE = "/google.firestore.v1.Firestore/"
TOPIC, SUBSCRIPTION = "projects/p/topics/tasks", "projects/p/subscriptions/worker"
DOCUMENTS = "projects/p/databases/(default)/documents"
OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
ALL = methods.PUBSUB | methods.FIRESTORE


class Wire:
    """Calls methods of a running engine with any bytes, as a careless client would."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        options = (("grpc.max_send_message_length", -1),)
        self.pubsub = grpc.aio.insecure_channel(engine.pubsub_host, options)
        self.firestore = grpc.aio.insecure_channel(engine.firestore_host, options)

    def channel(self, path: str) -> grpc.aio.Channel:
        return self.firestore if path.startswith(FIRESTORE) else self.pubsub

    async def unary(self, path: str, request: Any) -> Any:
        """The response of a method in the table."""
        raw = await self.raw(path, request.SerializeToString())
        return ALL[path].response_class().FromString(raw[0])

    async def raw(self, path: str, *requests: bytes, limit: float = 10) -> list[bytes]:
        """All responses to a call, of whatever shape: on the wire they are one and the same."""
        call = self.channel(path).stream_stream(path)(_each(requests), timeout=limit)
        return [response async for response in call]

    async def close(self) -> None:
        await self.pubsub.close()
        await self.firestore.close()


async def _each(requests: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


@asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[tuple[Wire, EmbeddedEngine]]:
    engine = EmbeddedEngine(**options)
    wire = Wire(await engine.start(folder))
    try:
        yield wire, engine
    finally:
        await wire.close()
        await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """One engine for all that may not bring it down; it must answer after each test."""
    async with running(tmp_path_factory.mktemp("embedded")) as (wire, _):
        await subscribed(wire)
        yield wire


async def subscribed(wire: Wire) -> None:
    await wire.unary(f"{PUBLISHER}CreateTopic", pubsub_pb.Topic(name=TOPIC))
    await wire.unary(
        f"{SUBSCRIBER}CreateSubscription", pubsub_pb.Subscription(name=SUBSCRIPTION, topic=TOPIC)
    )


async def still_answers(wire: Wire) -> None:
    topic = await wire.unary(f"{PUBLISHER}GetTopic", pubsub_pb.GetTopicRequest(topic=TOPIC))
    assert topic.name == TOPIC
    listed = firestore_pb.ListCollectionIdsRequest(parent=DOCUMENTS)
    await wire.unary(f"{FIRESTORE}ListCollectionIds", listed)


async def outcome(wire: Wire, path: str, *requests: bytes) -> tuple[grpc.StatusCode, str]:
    """Status and message of a call that is given two seconds."""
    try:
        await wire.raw(path, *requests, limit=2)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, "OK"


async def test_bytes_that_are_no_message_are_an_invalid_argument(wire: Wire) -> None:
    wrong = {}
    for path in ALL:
        served = not path.startswith("/google.pubsub.v1.SchemaService/")
        expected = grpc.StatusCode.INVALID_ARGUMENT if served else grpc.StatusCode.UNIMPLEMENTED
        found = await outcome(wire, path, b"\xff\xff\xff")
        if found[0] != expected:
            wrong[path] = found
    assert wrong == {}
    await still_answers(wire)


async def test_an_empty_request_is_never_the_servers_failure(wire: Wire) -> None:
    found = {path: await outcome(wire, path, b"") for path in ALL}
    assert {path: told for path, told in found.items() if told[0] in OURS or not told[1]} == {}
    await still_answers(wire)


@pytest.mark.parametrize(
    "path",
    [
        "/google.iam.v1.IAMPolicy/GetIamPolicy",
        "/google.pubsub.v1.Publisher/Shout",
        "/google.firestore.admin.v1.FirestoreAdmin/CreateIndex",
        "/no.such.Service/Method",
        "/",
    ],
)
async def test_an_unknown_method_is_refused_by_name(wire: Wire, path: str) -> None:
    status, told = await outcome(wire, path, b"anything")
    assert status == grpc.StatusCode.UNIMPLEMENTED
    assert path.strip("/").replace("/", ".") in told
    await still_answers(wire)


async def test_fields_of_a_newer_client_are_accepted(wire: Wire) -> None:
    newer = pubsub_pb.GetTopicRequest(topic=TOPIC).SerializeToString() + b"\xba\x3e\x03new"
    [raw] = await wire.raw(f"{PUBLISHER}GetTopic", newer)
    assert pubsub_pb.Topic.FromString(raw).name == TOPIC


async def test_a_request_beyond_all_limits_is_refused(wire: Wire) -> None:
    status, _ = await outcome(wire, f"{PUBLISHER}Publish", bytes(65 * 1024 * 1024))
    assert status == grpc.StatusCode.RESOURCE_EXHAUSTED
    await still_answers(wire)


async def test_a_megabyte_of_nested_groups_is_refused(wire: Wire) -> None:
    status, _ = await outcome(wire, f"{FIRESTORE}Commit", b"\x0b" * 1_000_000)
    assert status == grpc.StatusCode.INVALID_ARGUMENT
    await still_answers(wire)


@pytest.mark.parametrize("path", [path for path, m in ALL.items() if m.shape is Shape.BIDI])
async def test_a_stream_that_is_closed_before_its_first_request_ends(wire: Wire, path: str) -> None:
    status, told = await outcome(wire, path)
    assert status not in OURS | {grpc.StatusCode.DEADLINE_EXCEEDED}, told
    await still_answers(wire)


async def test_two_requests_on_a_call_that_takes_one_harm_nobody(wire: Wire) -> None:
    status, _ = await outcome(wire, f"{PUBLISHER}GetTopic", _get_topic(), _get_topic())
    assert status != grpc.StatusCode.UNAVAILABLE
    await still_answers(wire)


async def test_five_hundred_streams_at_once_are_served(wire: Wire) -> None:
    hello = pubsub_pb.StreamingPullRequest(
        subscription=SUBSCRIPTION, stream_ack_deadline_seconds=10
    ).SerializeToString()
    calls = [
        wire.pubsub.stream_stream(f"{SUBSCRIBER}StreamingPull")(timeout=60) for _ in range(500)
    ]
    await asyncio.gather(*(call.write(hello) for call in calls))
    message = pubsub_pb.PubsubMessage(data=b"one of them gets it")
    await wire.unary(
        f"{PUBLISHER}Publish", pubsub_pb.PublishRequest(topic=TOPIC, messages=[message])
    )
    reads = [asyncio.ensure_future(call.read()) for call in calls]
    done, waiting = await asyncio.wait(reads, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    [got] = done
    [received] = pubsub_pb.StreamingPullResponse.FromString(got.result()).received_messages
    assert received.message.data == message.data
    await still_answers(wire)
    for call in calls:  # all of them leave without a word
        call.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await still_answers(wire)


@pytest.mark.parametrize("garbage", [b"\x00" * 4096, b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b""])
async def test_what_is_not_grpc_harms_nobody(wire: Wire, garbage: bytes) -> None:
    engine = wire.engine
    control = (engine.control_url or "").removeprefix("http://")
    for host in (engine.pubsub_host, engine.firestore_host, control):
        _, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(garbage)
        await writer.drain()
        writer.close()
    await still_answers(wire)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{engine.control_url}/")).text == "Ok\n"


# -- what outlives the process ------------------------------------------------------------------


async def written(wire: Wire) -> None:
    """A subscription with one message acknowledged and one not, and two documents."""
    await subscribed(wire)
    messages = [pubsub_pb.PubsubMessage(data=data) for data in (b"done", b"to do")]
    publish = pubsub_pb.PublishRequest(topic=TOPIC, messages=messages)
    await wire.unary(f"{PUBLISHER}Publish", publish)
    received = {one.message.data: one.ack_id for one in await pulled(wire)}
    await wire.unary(
        f"{SUBSCRIBER}Acknowledge",
        pubsub_pb.AcknowledgeRequest(subscription=SUBSCRIPTION, ack_ids=[received[b"done"]]),
    )
    writes = [{"update": {"name": f"{DOCUMENTS}/c/{name}"}} for name in ("a", "b")]
    commit = firestore_pb.CommitRequest(database=DOCUMENTS.removesuffix("/documents"))
    for write in writes:
        commit.writes.add(**write).update.fields["n"].integer_value = 1
    await wire.unary(f"{FIRESTORE}Commit", commit)


async def pulled(wire: Wire) -> list[Any]:
    request = pubsub_pb.PullRequest(subscription=SUBSCRIPTION, max_messages=10)
    return list((await wire.unary(f"{SUBSCRIBER}Pull", request)).received_messages)


async def listed(wire: Wire) -> list[tuple[str, int]]:
    request = firestore_pb.ListDocumentsRequest(parent=DOCUMENTS, collection_id="c")
    found = (await wire.unary(f"{FIRESTORE}ListDocuments", request)).documents
    return [(document.name[-1], document.fields["n"].integer_value) for document in found]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_a_folder_keeps_what_was_answered_for(tmp_path: Path, end: signal.Signals) -> None:
    data = tmp_path / "data"
    async with running(tmp_path, data_dir=data) as (wire, engine):
        await written(wire)
        os.kill(engine.pids[0], end)
    async with running(tmp_path, data_dir=data) as (wire, _):
        assert [one.message.data for one in await pulled(wire)] == [b"to do"]
        assert await listed(wire) == [("a", 1), ("b", 1)]


async def test_a_reset_empties_the_engine_and_its_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(tmp_path, data_dir=data) as (wire, engine):
        await written(wire)
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(f"{wire.engine.control_url}/reset")).raise_for_status()
        assert await listed(wire) == []
        status, _ = await outcome(wire, f"{PUBLISHER}GetTopic", _get_topic())
        assert status == grpc.StatusCode.NOT_FOUND
        os.kill(engine.pids[0], signal.SIGKILL)
    async with running(tmp_path, data_dir=data) as (wire, _):
        assert await listed(wire) == []
        await written(wire)  # as on the first day


def _get_topic() -> bytes:
    request: bytes = pubsub_pb.GetTopicRequest(topic=TOPIC).SerializeToString()
    return request


async def test_a_folder_in_use_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, data_dir=tmp_path / "data") as (wire, engine):
        await subscribed(wire)
        second = EmbeddedEngine(data_dir=tmp_path / "data")
        with pytest.raises(
            EngineStartError, match=f"in use by another engine .process {engine.pids[0]}"
        ):
            await second.start(tmp_path / "second")
        await still_answers(wire)


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with listening_socket() as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineStartError, match=f"127.0.0.1:{port} cannot be used"):
            await EmbeddedEngine(pubsub_port=port).start(tmp_path)


async def test_two_engines_never_share_a_port(tmp_path: Path) -> None:
    async with running(tmp_path) as (wire, _):
        port = int(wire.engine.firestore_host.split(":")[1])
        with pytest.raises(EngineStartError, match=f"127.0.0.1:{port} cannot be used"):
            await EmbeddedEngine(firestore_port=port).start(tmp_path / "second")


@pytest.mark.parametrize(
    "content",
    ["indexes: 7", "- a", "{", "indexes: []\nttl: {field: 'a..b', collections: [x]}", None],
)
async def test_an_index_file_that_cannot_be_used_is_told(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "indexes.yaml"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(EngineStartError, match=r"ended with status 1 .*\n.*indexes.yaml"):
        await EmbeddedEngine(indexes=path).start(tmp_path)
