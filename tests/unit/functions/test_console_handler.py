"""The console: who is let in, what it answers, and what becomes of each request's log line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from functions.console.handler import Request, Response, handle
from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.commands import Cancel, Pause, Resume
from shared.domain.envelope import Message
from shared.domain.events import MAX_DATA_BYTES
from shared.domain.records import RunRecord, RunStatus, run_path
from shared.domain.trace import parse_traceparent
from shared.domain.version import FlowVersion
from shared.domain.webhooks import Callers
from shared.errors import BusUnavailableError
from shared.ports import Create, Update
from shared.prompting.library import Library
from shared.runtime.stage_table import read_stages
from shared.testing.memory import MemoryBus
from shared.testing.pipeline import World

ADA = {"authorization": "Bearer t0k-a"}
STEP = {"action": "log.write", "with": {"message": "m"}}
FLOW = {"flow": "f", "on": {"event": "t"}, "steps": {"a": STEP}}
VERSION = FlowVersion.model_validate({"flow": FLOW})
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def world() -> World:
    return World(Library({"f": VERSION}, {}, ()))


@pytest_asyncio.fixture
async def deps(world: World) -> Deps:
    """Of the console, with runs r0 to r2, the newest last: running, succeeded and failed."""
    callers = Callers({"ada@example.com": ("t0k-a", "t0k-b"), "bob": ("t0k-c",)})
    deps = replace(world.deps(read_stages().stages["console"], lambda: "token"), callers=callers)
    statuses = (RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILED)
    for number, status in enumerate(statuses):
        run = RunRecord(
            run_id=f"r{number}",
            flow="f" if number < 2 else "g",
            flow_version=VERSION.version,
            status=status,
            correlation_id="story-1",
            event_key="k",
            event_id="e",
            event_type="t",
            traceparent=TRACE,
            opened_by="m",
            created_at=deps.clock.now() + timedelta(seconds=number),
            expire_at=deps.expire_at(),
        )
        await deps.store.commit([Create(run_path(run.run_id), run.document())])
    return deps


def get(path: str, **query: str) -> Request:
    return Request("GET", path, ADA, b"", query)


def post(path: str, body: bytes = b"") -> Request:
    return Request("POST", path, ADA, body)


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


async def paused(deps: Deps) -> None:
    """Run r0 is."""
    found = await deps.store.get(run_path("r0"))
    assert found is not None
    fields = RunRecord.fields_of({"paused_at": deps.clock.now()})
    await deps.store.commit([Update(found.path, fields, found.revision)])


# -- who is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["t0k-a", "t0k-b", "t0k-c"])
async def test_every_token_of_a_name_is_taken(deps: Deps, world: World, token: str) -> None:
    request = Request("GET", "/api/runs", {"authorization": f"Bearer {token}"}, b"")
    assert (await handle(request, deps)).status == 200
    [report] = world.telemetry.reports
    assert report.labels["by"] == ("bob" if token == "t0k-c" else "ada@example.com")
    assert token not in repr(report)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer t0k", "t0k-a", "Bearer t0k-aé"])
@pytest.mark.parametrize("path", ["/api/runs", "/api/runs/r0"])
async def test_nobody_else_is_let_in(deps: Deps, path: str, given: str) -> None:
    answer = await handle(Request("GET", path, {"authorization": given}, b""), deps)
    assert code_of(answer) == (401, "Unauthorized")
    assert "Authorization: Bearer" in answer.body["error"]["message"]


async def test_without_tokens_nobody_is_known_and_it_says_how_to_set_them(deps: Deps) -> None:
    unset = replace(deps, callers=Callers())
    for headers in (ADA, {}, {"authorization": "Bearer "}):
        answer = await handle(Request("GET", "/api/runs", headers, b""), unset)
        assert code_of(answer) == (401, "Unauthorized")
        assert "set SEGUE_CONSOLE_TOKENS" in answer.body["error"]["message"]


# -- looking ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["r2", "r1", "r0"]),
        ({"limit": "2"}, ["r2", "r1"]),
        ({"flow": "f"}, ["r1", "r0"]),
        ({"status": "failed"}, ["r2"]),
        ({"status": "running", "flow": "f"}, ["r0"]),
        ({"status": "waiting"}, []),
    ],
)
async def test_runs_are_told_newest_first(
    deps: Deps, query: dict[str, str], expected: list[str]
) -> None:
    answer = await handle(get("/api/runs", **query), deps)
    assert (answer.status, [run["run_id"] for run in answer.body]) == (200, expected)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": "٣"},
        {"limit": "1" * 5000},
        {"staus": "failed"},
    ],
)
async def test_a_query_that_says_nothing_is_refused(deps: Deps, query: dict[str, str]) -> None:
    assert code_of(await handle(get("/api/runs", **query), deps)) == (400, "QueryInvalid")


async def test_a_run_is_told_with_its_steps(deps: Deps, world: World) -> None:
    answer = await handle(get("/api/runs/r0"), replace(deps, flows=_route(world).flows))
    assert answer.status == 200
    assert (answer.body["run_id"], answer.body["steps"]["a"]["status"]) == ("r0", "pending")
    [report] = world.telemetry.reports
    assert report.labels == {"by": "ada@example.com", "run_id": "r0", "flow": "f"}
    assert (report.disposition, report.outcome) == ("ack", "answered")


# -- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "kind"), [("cancel", Cancel), ("pause", Pause), ("resume", Resume)]
)
async def test_a_command_is_published_in_the_story_of_its_run(
    deps: Deps, world: World, verb: str, kind: Any
) -> None:
    if kind is Resume:
        await paused(deps)
    answer = await handle(post(f"/api/runs/r0/{verb}", b'{"reason": "why not"}'), deps)
    assert answer == Response(202, {"run_id": "r0", "command_id": "tokentoken"})
    [(topic, message_id, message)] = world.messages.published
    told = {} if kind is Resume else {"reason": "why not"}
    asked = {"run": "r0", "by": "ada@example.com", **told}
    assert (topic, json.loads(message.data)) == ("events", asked)
    assert message.attributes["ce-type"] == kind.type
    assert message.attributes["ce-id"] == "tokentoken"
    assert message.attributes["correlationid"] == "story-1"
    [report] = world.telemetry.reports
    trace, run = parse_traceparent(message.attributes["traceparent"]), parse_traceparent(TRACE)
    assert trace is not None
    assert run is not None
    assert (trace.trace_id, trace.span_id) == (report.trace_id, report.span_id)
    assert (report.trace_id, report.parent_span_id) == (run.trace_id, run.span_id)
    assert (report.message_id, report.outcome) == (message_id, "accepted")
    assert report.labels.items() >= {"by": "ada@example.com", "run_id": "r0"}.items()


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"{}", b'{"reason": null}'])
async def test_a_reason_may_be_left_out(deps: Deps, world: World, body: bytes) -> None:
    assert (await handle(post("/api/runs/r0/pause", body), deps)).status == 202
    [(_, _, message)] = world.messages.published
    assert json.loads(message.data) == {"run": "r0", "by": "ada@example.com"}


BAD_BODIES = [
    b"{broken",
    b"NaN",
    b"[" * 100_000,
    b"\xff",
    b"[]",
    b'"text"',
    b'{"reason": 7}',
    b'{"raeson": "x"}',
    b'{"reason": "x", "by": "eve"}',
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:20]))
async def test_a_bad_body_is_refused(deps: Deps, world: World, body: bytes) -> None:
    answer = await handle(post("/api/runs/r0/cancel", body), deps)
    assert code_of(answer) == (400, "BodyInvalid")
    assert world.messages.published == []


@pytest.mark.parametrize("path", ["/api/runs/r0/cancel", "/api/runs/r0/signals/go"])
async def test_a_body_beyond_what_an_event_holds_is_refused(deps: Deps, path: str) -> None:
    body = b'"' + b"x" * MAX_DATA_BYTES + b'"'
    assert code_of(await handle(post(path, body), deps)) == (413, "EventTooLarge")


@pytest.mark.parametrize(
    "request_",
    [
        get("/api/runs/nobody"),
        post("/api/runs/nobody/cancel"),
        post("/api/runs/nobody/signals/go"),
        post("/api/runs/nobody/steps/a/approve"),
    ],
    ids=lambda request: request.path,
)
async def test_an_unknown_run_is_not_found(deps: Deps, world: World, request_: Request) -> None:
    answer = await handle(request_, deps)
    assert code_of(answer) == (404, "RunUnknown")
    assert "segue runs" in answer.body["error"]["message"]
    assert world.messages.published == []


async def test_what_a_run_is_already_it_is_not_told_to_be(deps: Deps, world: World) -> None:
    early = await handle(post("/api/runs/r0/resume"), deps)
    await paused(deps)
    late = await handle(post("/api/runs/r0/pause"), deps)
    assert [code_of(answer) for answer in (early, late)] == [(409, "PauseRefused")] * 2
    reasons = [answer.body["error"]["reason"] for answer in (early, late)]
    assert reasons == ["not-paused", "paused"]
    assert world.messages.published == []


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
async def test_a_run_that_has_ended_takes_no_command(deps: Deps, world: World, verb: str) -> None:
    answer = await handle(post(f"/api/runs/r1/{verb}"), deps)
    assert code_of(answer) == (409, "RunEnded")
    assert answer.body["error"]["reason"] == "run-ended"
    assert "has succeeded already; there is nothing to" in answer.body["error"]["message"]
    assert world.messages.published == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api", 404),
        ("GET", "/runs/r0", 404),
        ("POST", "/api/runs/r0/restart", 404),
        ("POST", "/api/runs/r0/steps/a", 404),
        ("POST", "/api/runs/r0/steps/a/skip", 404),
        ("POST", "/api/runs/r0/signals", 404),
        ("POST", "/api/runs//cancel", 404),
        ("GET", "/api/runs/__r0__", 404),
        ("GET", "/api/runs/..", 404),
        ("GET", "/api/runs/" + "r" * 1600, 404),
        ("GET", "/" + "x" * 10_000, 404),
        ("POST", "/api/runs", 405),
        ("DELETE", "/api/runs/r0", 405),
        ("GET", "/api/runs/r0/cancel", 405),
        ("OPTIONS", "/api/runs", 405),
    ],
)
async def test_unknown_paths_and_methods_are_told_what_there_is(
    deps: Deps, world: World, method: str, path: str, status: int
) -> None:
    answer = await handle(Request(method, path, ADA, b""), deps)
    code = "NotFound" if status == 404 else "MethodNotAllowed"
    assert code_of(answer) == (status, code)
    assert "GET /api/runs/<id>" in answer.body["error"]["message"]
    [report] = world.telemetry.reports
    assert (report.disposition, report.outcome, report.labels) == ("nack", "refused", {})
    assert len(repr(report)) < 2000


# -- trouble ------------------------------------------------------------------------------------


class Failing(MemoryBus):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        raise self._error


async def test_what_may_succeed_later_is_503(deps: Deps) -> None:
    busy = replace(deps, bus=Failing(BusUnavailableError("late")))
    answer = await handle(post("/api/runs/r0/cancel"), busy)
    assert code_of(answer) == (503, "BusUnavailable")


async def test_a_defect_is_told_with_its_stack_and_not_to_the_caller(
    deps: Deps, world: World
) -> None:
    broken = replace(deps, bus=Failing(ZeroDivisionError("secret")))
    answer = await handle(post("/api/runs/r0/cancel"), broken)
    assert code_of(answer) == (500, "Internal")
    assert "secret" not in json.dumps(answer.body)
    [report] = world.telemetry.reports
    assert "secret" in report.details["stack_trace"]


async def test_a_request_that_asks_nothing_of_a_run_is_a_story_of_its_own(
    deps: Deps, world: World
) -> None:
    await handle(get("/api/runs"), deps, request_trace="r" * 32)
    [report] = world.telemetry.reports
    assert report.trace_id == ids.trace_id(report.span_id)
    assert report.request_trace == "r" * 32


def _route(world: World) -> Deps:
    return world.deps(read_stages().stages["route"], lambda: "token")
