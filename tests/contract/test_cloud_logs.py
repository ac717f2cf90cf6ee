"""The log reader against a stand-in of Cloud Logging: both questions, paging, escaping, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import grpc
import pytest
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcAsyncIOTransport,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from shared.adapters import cloud_log_errors as errors
from shared.adapters.cloud_logs import CloudLogs
from shared.adapters.json_telemetry import JsonTelemetry
from shared.adapters.log_queries import Deployment
from shared.domain.records import Failure, Tokens, Usage
from shared.errors import CloudError
from shared.ports import StageReport
from tests.contract.cloud_logging import CloudLogging, Refusal, UnknownQueryError, matcher, served

PROJECT = "my-project"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = NOW - timedelta(days=1)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
Line = dict[str, Any]


@pytest.fixture
def cloud() -> Iterator[CloudLogging]:
    with served(PROJECT) as standin:
        yield standin


@asynccontextmanager
async def reader_of(
    cloud: CloudLogging, *, address: str = "", project: str = PROJECT, **options: Any
) -> AsyncIterator[CloudLogs]:
    channel = grpc.aio.insecure_channel(address or cloud.address)
    transport = LoggingServiceV2GrpcAsyncIOTransport(channel=channel)
    client = LoggingServiceV2AsyncClient(transport=transport)
    yield CloudLogs(client, Deployment(project, "segue"), **{"patience": 0.0, **options})
    await transport.close()


def line_of(stage: str, second: float, *, trace: str = TRACE, **about: Any) -> Line:
    """As a stage writes it."""
    details = about.pop("details", {})
    labels = {"correlation_id": "story-1", "event_id": "event-1", **about}
    report = StageReport(
        stage=stage,
        disposition="nack",
        outcome="retry",
        trace_id=trace,
        span_id="b7ad6b7169203331",
        parent_span_id="00f067aa0ba902b7",
        started_at=NOW - timedelta(hours=1) + timedelta(seconds=second),
        duration_ms=12.5,
        labels={name: text for name, text in labels.items() if text is not None},
        message_id="42",
        attempt=2,
        error=Failure(code="ModelBusy", message='a "quoted" reason'),
        usage=Usage(llm_calls=1, tokens=Tokens(input=30, output=7), cost_usd=0.0001),
        details=details,
    )
    stream = StringIO()
    JsonTelemetry(PROJECT, stream).report(report)
    found: Line = json.loads(stream.getvalue())
    return found


def seconds_of(lines: Sequence[Any]) -> list[int]:
    hour = NOW - timedelta(hours=1)
    return [round((datetime.fromisoformat(x["started_at"]) - hour).total_seconds()) for x in lines]


STORY = (
    line_of("route", 0, details={"runs": ["run-1", "run-2"]}),
    line_of("compose", 1, run_id="run-1", step="write"),
    line_of("generate", 2, run_id="run-1", step="write"),
    line_of("bury", 3, run_id="run-1", dead_letter="letter-1"),
)


async def test_a_line_comes_back_as_it_was_written(cloud: CloudLogging) -> None:
    for line in STORY:
        cloud.write(line)
    async with reader_of(cloud) as reader:
        found = await reader.attempts(["story-1"], since=DAY, limit=10)
    assert not found.is_cut
    assert list(found.lines) == [
        {name: value for name, value in line.items() if name != "severity"} for line in STORY
    ]
    attempt = found.lines[0]["delivery_attempt"]
    assert (attempt, type(attempt)) == (2, int)


@pytest.mark.parametrize(
    "wanted", ["story-1", "run-1", "run-2", "event-1", "letter-1", TRACE], ids=str
)
async def test_any_id_of_a_story_tells_its_correlation_id(cloud: CloudLogging, wanted: str) -> None:
    for line in STORY:
        cloud.write(line)
    cloud.write(line_of("route", 5, trace="f" * 32, correlation_id="story-2", event_id="event-2"))
    async with reader_of(cloud) as reader:
        assert await reader.correlations(wanted, since=DAY) == ["story-1"]


@pytest.mark.parametrize("wanted", ["", "story", "STORY-1", "EVENT-1", "write", "route", "-", "*"])
async def test_nothing_else_is_an_id(cloud: CloudLogging, wanted: str) -> None:
    for line in STORY:
        cloud.write(line)
    async with reader_of(cloud) as reader:
        assert await reader.correlations(wanted, since=DAY) == []


async def test_a_letter_is_found_by_the_line_that_tells_of_it(cloud: CloudLogging) -> None:
    told = {**line_of("bury", 1, dead_letter="letter-9"), "kind": "dead_letter"}
    cloud.write(told)
    async with reader_of(cloud) as reader:
        assert await reader.correlations("letter-9", since=DAY) == ["story-1"]
        assert (await reader.attempts(["story-1"], since=DAY, limit=10)).lines == ()


async def test_an_id_may_belong_to_several_stories(cloud: CloudLogging) -> None:
    for second in range(120):  # more than is looked at in one go
        cloud.write(line_of("act", second, correlation_id="talkative", run_id=None))
    cloud.write(line_of("route", -1, correlation_id="quiet"))
    async with reader_of(cloud) as reader:
        assert await reader.correlations("event-1", since=DAY) == ["talkative", "quiet"]
        found = await reader.attempts(["quiet", "talkative"], since=DAY, limit=1000)
    assert seconds_of(found.lines) == list(range(-1, 120))


async def test_only_this_deployment_is_read(cloud: CloudLogging) -> None:
    cloud.write(STORY[0])
    for service in ("segue-dev-route", "mysegue-route", "segueroute", "segue-route-2", "other"):
        cloud.write(line_of("route", 7, correlation_id="stranger"), service=service)
        cloud.write(STORY[1], service=service)
    async with reader_of(cloud) as reader:
        assert await reader.correlations("event-1", since=DAY) == ["story-1"]
        found = await reader.attempts(["story-1"], since=DAY, limit=10)
    assert seconds_of(found.lines) == [0]


async def test_what_is_older_than_the_window_is_left_out(cloud: CloudLogging) -> None:
    for line in STORY:
        cloud.write(line)
    since = NOW - timedelta(hours=1) + timedelta(seconds=1.5)
    async with reader_of(cloud) as reader:
        found = await reader.attempts(["story-1"], since=since, limit=10)
        assert seconds_of(found.lines) == [2, 3]
        assert await reader.correlations("run-2", since=since) == []


async def test_long_stories_are_read_page_by_page_and_the_latest_are_kept(
    cloud: CloudLogging,
) -> None:
    for second in range(25):
        cloud.write(line_of("act", second))
    cloud.biggest_page = 7
    async with reader_of(cloud) as reader:
        whole = await reader.attempts(["story-1"], since=DAY, limit=25)
        some = await reader.attempts(["story-1"], since=DAY, limit=10)
    assert (seconds_of(whole.lines), whole.is_cut) == (list(range(25)), False)
    assert (seconds_of(some.lines), some.is_cut) == (list(range(15, 25)), True)


INJECTIONS = (
    '" OR labels.correlation_id="story-1',
    'x" OR resource.type="cloud_run_revision',
    'x"\nlabels.correlation_id:*',
    'x\\" OR labels.event_id="event-1',
    "x\\",
    "(a OR b)",
    "ümlaut 🎵 \t \u2028",
    "broken \udcff",
)


@pytest.mark.parametrize("wanted", INJECTIONS)
async def test_an_id_can_only_be_an_id(cloud: CloudLogging, wanted: str) -> None:
    for line in STORY:
        cloud.write(line)
    async with reader_of(cloud) as reader:
        assert await reader.correlations(wanted, since=DAY) == []
        assert (await reader.attempts([wanted], since=DAY, limit=10)).lines == ()


@pytest.mark.parametrize("wanted", INJECTIONS[:-1])
async def test_an_id_of_any_characters_is_found(cloud: CloudLogging, wanted: str) -> None:
    cloud.write(line_of("route", 0, correlation_id=wanted, run_id=wanted))
    cloud.write(STORY[1])
    async with reader_of(cloud) as reader:
        assert await reader.correlations(wanted, since=DAY) == [wanted]
        assert len((await reader.attempts([wanted], since=DAY, limit=10)).lines) == 1


def refusal(code: grpc.StatusCode, message: str, reason: str = "") -> Refusal:
    info = AnyMessage()
    info.Pack(ErrorInfo(reason=reason, domain="googleapis.com"))
    status = Status(code=code.value[0], message=message, details=[info])
    return Refusal(code, message, status.SerializeToString() if reason else b"")


DENIED, UNAVAILABLE = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("told", "error", "remedy"),
    [
        (
            refusal(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid credentials."),
            errors.CloudLoginError,
            "gcloud auth application-default login",
        ),
        (
            refusal(UNAVAILABLE, "Getting metadata from plugin failed with error: reauth"),
            errors.CloudLoginError,
            "gcloud auth application-default login",
        ),
        (
            refusal(UNAVAILABLE, "Getting metadata from plugin failed with error: Max retries"),
            errors.CloudUnreachableError,
            "network",
        ),
        (
            refusal(DENIED, "Permission denied on project 'p' (or it may not exist)."),
            errors.CloudDeniedError,
            "roles/logging.viewer",
        ),
        (
            refusal(DENIED, "Cloud Logging API is off.", "SERVICE_DISABLED"),
            errors.CloudDisabledError,
            "gcloud services enable logging.googleapis.com",
        ),
        (
            refusal(DENIED, "Cloud Logging API has not been used in project 1 before."),
            errors.CloudDisabledError,
            "gcloud services enable logging.googleapis.com",
        ),
        (
            refusal(DENIED, "The caller does not have permission"),
            errors.CloudDeniedError,
            "roles/logging.viewer",
        ),
        (
            refusal(DENIED, "Caller is unknown.", "CONSUMER_INVALID"),
            errors.CloudProjectError,
            "--project",
        ),
        (
            refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded for ReadRequestsPerMinute"),
            errors.CloudQuotaError,
            "Wait a minute",
        ),
        (refusal(UNAVAILABLE, "Socket closed"), errors.CloudUnreachableError, "network"),
        (
            refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "too slow"),
            errors.CloudUnreachableError,
            "network",
        ),
        (
            refusal(grpc.StatusCode.INVALID_ARGUMENT, "Unparseable filter:\n  x" + "y" * 1000),
            errors.CloudRefusedError,
            "Unparseable filter: x",
        ),
        (
            refusal(grpc.StatusCode.UNIMPLEMENTED, "no"),
            errors.CloudRefusedError,
            "NotImplemented: no",
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_a_refusal_is_one_line_with_a_remedy(
    cloud: CloudLogging, told: Refusal, error: type[CloudError], remedy: str
) -> None:
    cloud.refusals = [told]
    async with reader_of(cloud) as reader:
        with pytest.raises(CloudError) as caught:
            await reader.correlations("x", since=DAY)
    assert type(caught.value) is error
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


async def test_a_project_that_is_not_there_is_said(cloud: CloudLogging) -> None:
    async with reader_of(cloud, project="nope") as reader:
        with pytest.raises(errors.CloudProjectError, match="Project does not exist"):
            await reader.correlations("x", since=DAY)


async def test_nobody_answering_is_said(cloud: CloudLogging) -> None:
    async with reader_of(cloud, address="127.0.0.1:1") as reader:
        with pytest.raises(errors.CloudUnreachableError, match="Check the network"):
            await reader.correlations("x", since=DAY)


async def test_a_passing_failure_is_asked_again_and_a_quota_is_not(cloud: CloudLogging) -> None:
    cloud.write(STORY[0])
    cloud.refusals = [refusal(UNAVAILABLE, "Socket closed")]
    async with reader_of(cloud, patience=10.0) as reader:
        assert await reader.correlations("story-1", since=DAY) == ["story-1"]
        cloud.requests.clear()
        cloud.refusals = [refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded")]
        with pytest.raises(errors.CloudQuotaError):
            await reader.correlations("story-1", since=DAY)
    assert len(cloud.requests) == 1


@pytest.mark.parametrize(
    "query",
    ['a="b" OR', 'a="b" AND c="d"', '(a="b")', "a=b", 'a="b', 'a="b" c="d"', "", 'a:"b"', "a=*"],
)
def test_the_stand_in_refuses_what_it_does_not_know(query: str) -> None:
    with pytest.raises(UnknownQueryError):
        matcher(query)
