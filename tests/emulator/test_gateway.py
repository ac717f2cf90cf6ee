"""The gateway before the stage hosts: attempts counted, restarts bridged, nothing sent twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from emulator.gateway import build_app
from emulator.serving import abort, free_port, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from emulator.engine import Engine

TOPIC = "projects/local/topics/gateway-test"
SUBSCRIPTION = "projects/local/subscriptions/gateway-test"
PUSH = {"message": {"messageId": "1", "data": "aGk="}, "subscription": "projects/p/subscriptions/s"}


class Host:
    """A stage host that keeps what it received."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 204
        routes = [
            Route("/broken", _Broken(self), methods=["POST"]),
            Route("/half", self.half, methods=["GET"]),
            Route("/{rest:path}", self.answer, methods=["GET", "POST", "PUT"]),
        ]
        self.app = Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        """Record the request and answer with the current status."""
        body = await request.body()
        self.received.append(
            {
                "method": request.method,
                "target": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": request.headers.items(),
                "body": body,
            }
        )
        if self.status == 204:
            return Response(status_code=204)
        return JSONResponse({"stage": "answered"}, self.status, {"X-Stage": "yes"})

    async def half(self, request: Request) -> Response:
        """Break off in the middle of the answer."""

        async def parts() -> AsyncIterator[bytes]:
            yield b"first half"
            await asyncio.sleep(0.05)
            abort(request.scope)

        return StreamingResponse(parts())


class _Broken:
    """Reads the request, then cuts the connection."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        await receive()
        self._host.received.append({"target": "/broken"})
        abort(scope)
        await receive()


class Bench:
    """A gateway, a host behind it, and a client in front of it."""

    def __init__(self, host: Host, routes: dict[str, str], client: httpx.AsyncClient) -> None:
        self.host = host
        self.routes = routes
        self.client = client

    async def push(self, stage: str = "generate", body: Any = PUSH) -> httpx.Response:
        return await self.client.post(f"/{stage}", json=body)


@pytest_asyncio.fixture(loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    host = Host()
    upstream = await serve(host.app)
    routes = {
        "generate": f"{upstream.url}/generate",
        "ingest": upstream.url,
        "broken": f"{upstream.url}/broken",
        "half": f"{upstream.url}/half",
    }
    gateway = await serve(build_app(routes, hold=0.3))
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        yield Bench(host, routes, client)
    await gateway.stop()
    await upstream.stop()


async def test_each_redelivery_carries_a_higher_attempt(bench: Bench) -> None:
    bench.host.status = 503
    assert [(await bench.push()).status_code for _ in range(2)] == [503, 503]
    bench.host.status = 204
    assert (await bench.push()).status_code == 204
    bodies = [json.loads(each["body"]) for each in bench.host.received]
    assert [body.pop("deliveryAttempt") for body in bodies] == [1, 2, 3]
    assert bodies == [PUSH] * 3


async def test_googles_own_emulator_delivers_with_attempts(
    bench: Bench, google_engine: Engine
) -> None:
    bench.host.status = 503
    endpoint = f"{bench.client.base_url}/generate?stage=generate"
    async with grpc.aio.insecure_channel(google_engine.pubsub_host) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(
            transport=SubscriberGrpcAsyncIOTransport(channel=channel)
        )
        await publisher.create_topic(name=TOPIC)
        await subscriber.create_subscription(
            {"name": SUBSCRIPTION, "topic": TOPIC, "push_config": {"push_endpoint": endpoint}}
        )
        await publisher.publish(topic=TOPIC, messages=[PubsubMessage(data=b"hello")])
        async with asyncio.timeout(20):
            while len(bench.host.received) < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        bench.host.status = 204
        await subscriber.delete_subscription(subscription=SUBSCRIPTION)
    bodies = [json.loads(each["body"]) for each in bench.host.received]
    assert [body["deliveryAttempt"] for body in bodies[:2]] == [1, 2]
    assert bodies[0]["message"]["data"] == "aGVsbG8="
    assert bench.host.received[0]["query"] == "stage=generate"


async def test_status_headers_and_body_of_the_stage_come_back(bench: Bench) -> None:
    bench.host.status = 409
    answer = await bench.push()
    assert (answer.status_code, answer.json()) == (409, {"stage": "answered"})
    assert answer.headers["x-stage"] == "yes"


async def test_other_requests_pass_through_untouched(bench: Bench) -> None:
    bench.host.status = 200
    signed = {"X-Slack-Signature": "v0=abc", "Content-Type": "text/plain"}
    raw = b'{"message": "this is not a push"}'
    sent = await bench.client.post("/ingest/hooks/a%2Fb?x=1&y=%20z", content=raw, headers=signed)
    assert sent.status_code == 200
    (got,) = bench.host.received
    assert (got["method"], got["target"]) == ("POST", "/hooks/a%2Fb")
    assert (got["query"], got["body"]) == ("x=1&y=%20z", raw)
    headers = dict(got["headers"])
    assert headers["x-slack-signature"] == "v0=abc"
    assert headers["content-length"] == str(len(raw))
    assert headers["host"] == bench.client.base_url.netloc.decode()
    assert (await bench.client.get("/ingest")).status_code == 200
    assert (bench.host.received[1]["method"], bench.host.received[1]["target"]) == ("GET", "/")


async def test_a_request_is_held_while_its_host_restarts(bench: Bench) -> None:
    port = free_port()
    bench.routes["generate"] = f"http://127.0.0.1:{port}"
    pushed = asyncio.create_task(bench.push())
    await asyncio.sleep(0.1)
    assert not pushed.done()
    restarted = await serve(bench.host.app, port)
    assert (await pushed).status_code == 204
    await restarted.stop()
    assert len(bench.host.received) == 1


async def test_a_held_request_follows_a_host_that_moved(bench: Bench) -> None:
    there = bench.routes["generate"]
    bench.routes["generate"] = f"http://127.0.0.1:{free_port()}"
    pushed = asyncio.create_task(bench.push())
    await asyncio.sleep(0.1)
    bench.routes["generate"] = there
    assert (await pushed).status_code == 204


async def test_a_host_that_stays_down_is_answered_for(bench: Bench) -> None:
    bench.routes["generate"] = f"http://127.0.0.1:{free_port()}"
    answer = await bench.push()
    assert answer.status_code == 503
    assert answer.json() == {"error": "stage generate did not come up in 0.3 s"}


async def test_a_broken_connection_is_answered_for_at_once_and_not_sent_again(
    bench: Bench,
) -> None:
    answer = await bench.push("broken")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("stage broken broke the connection")
    assert len(bench.host.received) == 1


async def test_an_answer_that_breaks_off_is_passed_on_broken(bench: Bench) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await bench.client.get("/half")


async def test_an_unknown_stage_is_refused_naming_the_known_ones(bench: Bench) -> None:
    answer = await bench.push("gnerate")
    assert answer.status_code == 404
    assert "known stages: broken, generate" in answer.json()["error"]


async def test_many_requests_are_in_flight_at_once(bench: Bench) -> None:
    bodies = [{**PUSH, "message": {"messageId": str(number)}} for number in range(100)]
    answers = await asyncio.gather(*(bench.push(body=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {204}
    attempts = {json.loads(each["body"])["deliveryAttempt"] for each in bench.host.received}
    assert attempts == {1}
