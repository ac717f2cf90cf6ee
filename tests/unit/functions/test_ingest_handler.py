"""The Event Listener: who is let in, what becomes an event, and what every answer says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from functions.ingest.handler import Request, Response, handle
from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES, from_message
from shared.domain.trace import parse_traceparent
from shared.domain.webhooks import SCHEMES, SLACK, Gate
from shared.errors import BusUnavailableError
from shared.prompting.library import Library
from shared.runtime.stage_table import read_stages
from shared.testing.memory import MemoryBus
from shared.testing.pipeline import World

TOKEN = {"authorization": "Bearer t0k"}
EVENT = {"ce-type": "order.paid", "ce-source": "//shop", "ce-id": "42"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = TRACE[:-1] + "0"
BODY = b'{"type": "ping", "n": 1}'
Hook = Callable[..., Request]


@pytest.fixture
def world() -> World:
    return World(Library({}, {}, ()))


@pytest.fixture
def deps(world: World) -> Deps:
    gate = Gate(token="t0k", hook_secrets={"shop": ("new", "old"), SLACK: ("slack-secret",)})
    return replace(world.deps(read_stages().stages["ingest"], lambda: "token"), gate=gate)


@pytest.fixture
def hook(deps: Deps) -> Hook:
    """A signed webhook request."""

    def build(source: str = "shop", body: bytes = BODY, **headers: str) -> Request:
        scheme = SCHEMES[SLACK if source == SLACK else "generic"]
        stamp = str(int(deps.clock.now().timestamp()))
        secret = deps.gate.hook_secrets.get(source, ("x",))[0]
        signed = {
            scheme.timestamp_header: stamp,
            scheme.signature_header: scheme.sign(secret, stamp, body),
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return Request("POST", f"/hooks/{source}", signed, body)

    return build


def event(body: bytes = b"{}", path: str = "/events", **changes: Any) -> Request:
    headers = {**TOKEN, **EVENT, **changes.pop("headers", {})}
    kept = {name: text for name, text in headers.items() if text is not None}
    return Request("POST", path, kept, body)


def without_trace(message: Message) -> Message:
    kept = {name: text for name, text in message.attributes.items() if name != "traceparent"}
    assert len(kept) == len(message.attributes) - 1
    return Message(message.data, kept)


def sent(world: World) -> list[Message]:
    return [message for topic, _, message in world.messages.published if topic == "events"]


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


async def test_a_binary_event_is_published_as_it_came(deps: Deps, world: World) -> None:
    answer = await handle(event(b'{"total": 5}'), deps)
    [message] = sent(world)
    assert without_trace(message) == Message(b'{"total": 5}', EVENT)
    routed = from_message(
        message.attributes, message.data, message_id="x", published_at=deps.clock.now()
    )
    assert answer == Response(
        202,
        {
            "event_id": "42",
            "event_key": routed.key,
            "type": "order.paid",
            "source": "//shop",
            "correlation_id": routed.correlation_id,
        },
    )


@pytest.mark.parametrize("suffix", ["", "; charset=utf-8"])
async def test_a_structured_event_is_published_as_it_came(
    deps: Deps, world: World, suffix: str
) -> None:
    kind = f"application/cloudevents+json{suffix}"
    body = json.dumps({"specversion": "1.0", "type": "t", "id": "7", "source": "s", "data": [1]})
    request = Request("POST", "/events", {**TOKEN, "content-type": kind}, body.encode())
    answer = await handle(request, deps)
    assert (answer.status, answer.body["event_id"]) == (202, "7")
    [message] = sent(world)
    assert without_trace(message) == Message(body.encode(), {"content-type": kind})


async def test_a_duplicate_is_answered_with_the_same_ids(deps: Deps, hook: Hook) -> None:
    for request in (event(), hook(), hook(body=b'{"id": "9"}')):
        first, second = await handle(request, deps), await handle(request, deps)
        assert first.status == 202
        assert first == second


@pytest.mark.parametrize("given", [None, ""])
async def test_an_event_without_an_id_is_given_one(
    deps: Deps, world: World, given: str | None
) -> None:
    answer = await handle(event(headers={"ce-id": given, "ce-source": None}), deps)
    [message] = sent(world)
    assert answer.body["event_id"] == "tokentoken"
    assert answer.body["event_key"] == "tokentoken"
    assert message.attributes["ce-id"] == "tokentoken"


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}])
async def test_a_structured_event_without_an_id_is_given_one(
    deps: Deps, world: World, given: dict[str, Any]
) -> None:
    body = {"specversion": "1.0", "type": "t", **given, "data": {"é": 1.5}}
    headers = {**TOKEN, "content-type": "application/cloudevents+json"}
    request = Request("POST", "/events", headers, b"\xef\xbb\xbf" + json.dumps(body).encode())
    answer = await handle(request, deps)
    assert (answer.status, answer.body["event_id"]) == (202, "tokentoken")
    [message] = sent(world)
    assert json.loads(message.data) == {**body, "id": "tokentoken"}
    routed = from_message(
        message.attributes, message.data, message_id="other", published_at=deps.clock.now()
    )
    assert (routed.id, routed.key) == (answer.body["event_id"], answer.body["event_key"])


async def test_event_headers_are_percent_decoded(deps: Deps, world: World) -> None:
    encoded = {"ce-subject": "Euro%20%E2%82%AC", "ce-id": "50%25", "ce-source": "//shop+1"}
    answer = await handle(event(headers=encoded), deps)
    assert (answer.body["event_id"], answer.body["source"]) == ("50%", "//shop+1")
    assert sent(world)[0].attributes["ce-subject"] == "Euro €"


async def test_only_event_headers_are_passed_on(deps: Deps, world: World) -> None:
    await handle(event(headers={"cookie": "secret", "x-other": "1", "ce-tenant": "acme"}), deps)
    assert set(sent(world)[0].attributes) == {*EVENT, "ce-tenant", "traceparent"}


@pytest.mark.parametrize(("given", "kept"), [(TRACE, True), (UNSAMPLED, True), ("garbage", False)])
async def test_a_senders_trace_goes_on(deps: Deps, world: World, given: str, *, kept: bool) -> None:
    await handle(event(headers={"ce-traceparent": given}), deps)
    [report] = world.telemetry.reports
    trace = parse_traceparent(sent(world)[0].attributes["traceparent"])
    sender = parse_traceparent(given)
    assert trace is not None
    assert (trace.trace_id, trace.span_id) == (report.trace_id, report.span_id)
    assert report.parent_span_id == (sender.span_id if sender else None)
    assert (sender is not None and trace.trace_id == sender.trace_id) is kept
    assert trace.sampled is (given != UNSAMPLED)


async def test_the_story_of_an_event_begins_with_its_request(deps: Deps, world: World) -> None:
    answer = await handle(event(), deps, request_trace="r" * 32)
    [report] = world.telemetry.reports
    assert (report.stage, report.disposition, report.outcome) == ("ingest", "ack", "accepted")
    assert report.labels == {
        "correlation_id": answer.body["correlation_id"],
        "event_id": "42",
        "event_type": "order.paid",
    }
    [(_, message_id, message)] = world.messages.published
    assert (report.message_id, report.request_trace) == (message_id, "r" * 32)
    trace = parse_traceparent(message.attributes["traceparent"])
    assert trace is not None
    assert trace.trace_id == report.trace_id == ids.trace_id(answer.body["correlation_id"])


REFUSED = [
    (Request("POST", "/events", EVENT, b"{}"), "Unauthorized"),
    (Request("GET", "/events", TOKEN, b""), "MethodNotAllowed"),
    (Request("POST", "/" + "x" * 10_000, {}, b""), "NotFound"),
    (Request("POST", "/hooks/" + "x" * 10_000, {}, b""), "NotFound"),
    (Request("POST", "/events", {**TOKEN, "ce-type": "x" * 10_000}, b""), "EventInvalid"),
    (Request("POST", "/events", {**TOKEN, **EVENT}, b"{" + b"x" * 10_000), "EventInvalid"),
    (Request("POST", "/events", {**TOKEN, **EVENT}, b"x" * 2_000_000), "EventTooLarge"),
]


@pytest.mark.parametrize(("request_", "code"), REFUSED, ids=lambda each: str(each)[:30])
async def test_a_refusal_is_told_and_quotes_little(
    deps: Deps, world: World, request_: Request, code: str
) -> None:
    answer = await handle(request_, deps)
    [report] = world.telemetry.reports
    assert (report.disposition, report.outcome, report.labels) == ("nack", "refused", {})
    assert report.error is not None
    assert report.error.code == code == answer.body["error"]["code"]
    assert report.details["status"] == answer.status
    assert report.parent_span_id is None
    assert len(repr(report)) < 2000


async def test_a_defect_is_told_with_its_stack_and_not_to_the_sender(
    deps: Deps, world: World
) -> None:
    class Broken(MemoryBus):
        async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
            raise ZeroDivisionError("secret")

    answer = await handle(event(), replace(deps, bus=Broken()))
    assert answer.status == 500
    assert "secret" not in json.dumps(answer.body)
    [report] = world.telemetry.reports
    assert (report.disposition, report.outcome) == ("nack", "crashed")
    assert "secret" in report.details["stack_trace"]
    assert report.labels["event_id"] == "42"


async def test_lines_written_meanwhile_belong_to_the_event(deps: Deps, world: World) -> None:
    class Talking(MemoryBus):
        async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
            world.telemetry.log("INFO", "publishing")
            return await super().publish(topic, messages)

    await handle(event(), replace(deps, bus=Talking()))
    [report], [(_, _, line)] = world.telemetry.reports, world.telemetry.lines
    assert line["labels"] == {"stage": "ingest", **report.labels}
    assert line["trace_id"] == report.trace_id


@pytest.mark.parametrize(
    ("body", "event_type", "event_id"),
    [
        (BODY, "shop.ping", None),
        (b'{"id": 42}', "shop.received", None),
        (b'{"type": "order.paid", "id": "42"}', "shop.order.paid", "42"),
    ],
)
async def test_a_webhook_becomes_an_event_of_its_source(
    deps: Deps, hook: Hook, body: bytes, event_type: str, event_id: str | None
) -> None:
    answer = await handle(hook(body=body), deps)
    assert (answer.status, answer.body["type"]) == (202, event_type)
    assert answer.body["source"] == "/hooks/shop"
    assert answer.body["event_id"] == (event_id or answer.body["event_id"])


async def test_webhooks_with_other_bodies_are_other_events(deps: Deps, hook: Hook) -> None:
    one, other = await handle(hook(), deps), await handle(hook(body=b'{"n": 2}'), deps)
    assert one.body["event_id"] != other.body["event_id"]
    assert other.body["type"] == "shop.received"


@pytest.mark.parametrize("source", ["shop", SLACK])
async def test_what_is_not_signed_makes_no_other_event(deps: Deps, hook: Hook, source: str) -> None:
    unsigned = {"x_segue_id": "9", "x_segue_event": "order.paid", "ce_id": "9", "ce_type": "t"}
    other = "x_segue_timestamp" if source == SLACK else "x_slack_request_timestamp"
    captured = await handle(hook(source), deps)
    replayed = await handle(hook(source, **unsigned, **{other: "1"}), deps)
    assert captured.status == 202
    assert replayed == captured


async def test_slack_events_are_known_by_slacks_ids(deps: Deps, hook: Hook) -> None:
    body = b'{"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}}'
    answer = await handle(hook(SLACK, body), deps)
    assert (answer.body["type"], answer.body["event_id"]) == ("slack.app_mention", "Ev1")


async def test_slacks_address_check_is_answered_and_published_nowhere(
    deps: Deps, world: World, hook: Hook
) -> None:
    request = hook(SLACK, b'{"type": "url_verification", "challenge": "abc"}')
    assert await handle(request, deps) == Response(200, {"challenge": "abc"})
    assert sent(world) == []


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (Request("POST", "/", TOKEN, b""), 404, "NotFound"),
        (Request("POST", "/hooks", TOKEN, b""), 404, "NotFound"),
        (Request("POST", "/event", TOKEN, b""), 404, "NotFound"),
        (Request("POST", "/hooks/unknown", {}, BODY), 404, "NotFound"),
        (Request("GET", "/events", TOKEN, b""), 405, "MethodNotAllowed"),
        (Request("PUT", "/hooks/shop", {}, b""), 405, "MethodNotAllowed"),
        (event(headers={"authorization": None}), 401, "Unauthorized"),
        (event(headers={"authorization": "Bearer no"}), 401, "Unauthorized"),
        (Request("POST", "/hooks/shop", TOKEN, BODY), 401, "Unauthorized"),
        (Request("POST", f"/hooks/{SLACK}", {}, b'{"type": "url_verification"}'), 401, "Unauth"),
        (Request("POST", "/events", TOKEN, b"{}"), 400, "EventInvalid"),
        (event(b"{broken"), 400, "EventInvalid"),
        (event(b"[" * 100_000), 400, "EventInvalid"),
        (event(headers={"ce-type": "a b"}), 400, "EventInvalid"),
        (event(headers={"ce-time": "yesterday"}), 400, "EventInvalid"),
        (event(b'{"run": "r"}', headers={"ce-type": "segue.run.cancel"}), 400, "EventInvalid"),
        (event(headers={f"ce-x{n}": "1" for n in range(81)}), 400, "EventInvalid"),
        (event(b'"' + b"x" * MAX_DATA_BYTES + b'"'), 413, "EventTooLarge"),
        (event(b"x" * (2 * MAX_DATA_BYTES + 1)), 413, "EventTooLarge"),
    ],
)
async def test_what_is_not_let_in_is_told_why_and_goes_nowhere(
    deps: Deps, world: World, request_: Request, status: int, code: str
) -> None:
    answer = await handle(request_, deps)
    assert answer.status == status
    assert answer.body["error"]["code"].startswith(code)
    assert len(answer.body["error"]["message"]) > 10
    assert sent(world) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000])
async def test_a_signed_webhook_must_carry_an_object(deps: Deps, hook: Hook, body: bytes) -> None:
    assert code_of(await handle(hook(body=body), deps)) == (400, "EventInvalid")


async def test_a_bus_that_is_down_is_a_503_that_can_be_repeated(deps: Deps) -> None:
    class Down(MemoryBus):
        async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
            raise BusUnavailableError("down")

    answer = await handle(event(), replace(deps, bus=Down()))
    assert code_of(answer) == (503, "BusUnavailable")


async def test_an_open_gate_lets_unsigned_events_in_but_no_unsigned_webhooks(deps: Deps) -> None:
    opened = replace(deps, gate=replace(deps.gate, open=True))
    assert (await handle(event(headers={"authorization": None}), opened)).status == 202
    assert (await handle(Request("POST", "/hooks/shop", {}, BODY), opened)).status == 401
