"""What a handler does or raises, as a client of the server sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from emulator.embedded import methods
from emulator.embedded.journal import Forgetful
from emulator.embedded.messages import firestore_pb, pubsub_pb
from emulator.embedded.refusal import Status, invalid, not_found
from emulator.embedded.server import Server

GET, PUBLISH = "/google.pubsub.v1.Publisher/GetTopic", "/google.pubsub.v1.Publisher/Publish"
STREAM, DELETE = (
    "/google.pubsub.v1.Subscriber/StreamingPull",
    "/google.pubsub.v1.Publisher/DeleteTopic",
)
QUERY = "/google.firestore.v1.Firestore/RunQuery"


class Diary(Forgetful):
    """A journal that notes when it was flushed, and may fail to."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.full = False

    def flush(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.notes.append("flush")


DIARY = Diary()


async def get(request: Any, _context: Any) -> Any:
    DIARY.notes.append("handled")
    if request.topic == "missing":
        raise not_found("Resource not found (resource=missing).")
    if request.topic == "long":
        raise invalid("é" * 100_000)
    if request.topic == "broken":
        raise ZeroDivisionError("it is broken")
    return pubsub_pb.Topic(name=request.topic)


async def publish(_request: Any, _context: Any) -> Any:
    return "this is no response"


async def delete(_request: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.DATA_LOSS, "by the handler itself")


async def query(request: Any, _context: Any) -> AsyncIterator[Any]:
    for number in range(3):
        if number == 2 and request.parent:
            raise invalid("not the third")
        yield firestore_pb.RunQueryResponse(skipped_results=number)


async def stream(requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
    async def echo() -> AsyncIterator[Any]:
        async for _ in requests:
            yield pubsub_pb.StreamingPullResponse()

    return echo()


@pytest_asyncio.fixture(loop_scope="session")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """To a server of the handlers above."""
    DIARY.notes.clear()
    DIARY.full = False
    handlers = {GET: get, PUBLISH: publish, DELETE: delete, QUERY: query, STREAM: stream}
    server = Server(methods.PUBSUB | methods.FIRESTORE, handlers, DIARY)
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop()


async def asked(channel: grpc.aio.Channel, topic: str) -> bytes:
    request = pubsub_pb.GetTopicRequest(topic=topic).SerializeToString()
    answer: bytes = await channel.unary_unary(GET)(request, timeout=5)
    return answer


async def refused(channel: grpc.aio.Channel, topic: str) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked(channel, topic)
    return caught.value


async def test_what_changed_is_durable_before_the_answer(channel: grpc.aio.Channel) -> None:
    assert pubsub_pb.Topic.FromString(await asked(channel, "t")).name == "t"
    assert DIARY.notes == ["handled", "flush"]


async def test_what_changed_is_durable_before_a_refusal(channel: grpc.aio.Channel) -> None:
    await refused(channel, "missing")
    assert DIARY.notes == ["handled", "flush"]


async def test_an_answer_that_cannot_be_made_durable_is_not_given(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    DIARY.full = True
    error = await refused(channel, "t")
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "No space left" in (error.details() or "")
    assert "No space left" in caplog.text


async def test_a_refusal_is_its_status_and_message(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, "missing")
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == "Resource not found (resource=missing)."


async def test_a_message_of_any_length_arrives_with_its_status(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, "long")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (error.details() or "").startswith("éé")


async def test_any_other_exception_is_internal_named_and_logged(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refused(channel, "broken")
    assert error.code() == grpc.StatusCode.INTERNAL
    assert error.details() == "GetTopic failed in the engine with ZeroDivisionError('it is broken')"
    assert "Traceback" in caplog.text
    assert await asked(channel, "t")


async def test_a_response_of_the_wrong_class_harms_only_its_call(
    channel: grpc.aio.Channel,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(PUBLISH)(b"", timeout=5)
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert await asked(channel, "t")


async def test_what_a_handler_tells_the_client_itself_stands(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(DELETE)(b"", timeout=5)
    assert caught.value.code() == grpc.StatusCode.DATA_LOSS
    assert caught.value.details() == "by the handler itself"


async def test_a_stream_may_be_refused_after_some_answers(channel: grpc.aio.Channel) -> None:
    assert len([one async for one in channel.unary_stream(QUERY)(b"", timeout=5)]) == 3
    request = firestore_pb.RunQueryRequest(parent="p").SerializeToString()
    call = channel.unary_stream(QUERY)(request, timeout=5)
    assert [len(await call.read()) for _ in range(2)] == [0, 2]
    with pytest.raises(grpc.aio.AioRpcError, match="not the third"):
        await call.read()
    assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_malformed_request_in_a_stream_is_refused_after_the_good_ones(
    channel: grpc.aio.Channel,
) -> None:
    call = channel.stream_stream(STREAM)(timeout=5)
    await call.write(b"")
    assert await call.read() == b""
    await call.write(b"\xff")
    told = "is not a valid google.pubsub.v1.StreamingPullRequest"
    with pytest.raises(grpc.aio.AioRpcError, match=told):
        await call.read()
    assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_method_without_a_handler_is_unimplemented(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/google.pubsub.v1.Publisher/CreateTopic")(b"", timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_every_status_of_a_refusal_is_one_of_grpc() -> None:
    codes = {code.value[0]: code.name for code in grpc.StatusCode}
    assert {status.value: status.name for status in Status}.items() <= codes.items()
