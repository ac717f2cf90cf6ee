"""`segue trace --cloud` against the stand-in of Cloud Logging: the same story as of a local log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import pytest
from click.testing import Result
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcAsyncIOTransport,
)
from typer.testing import CliRunner

from shared.adapters.cloud_log_errors import CloudDeniedError, CloudLoginError
from shared.adapters.cloud_logs import CloudLogs, build_client
from shared.adapters.log_queries import Deployment
from shared.cli.app import app
from shared.cli.cloud_story import NoProjectError, NotInWindowError
from shared.runtime.settings import settings
from tests.contract.cloud_logging import CloudLogging, Refusal, served

PROJECT = "my-project"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BEGAN = datetime.now(UTC) - timedelta(minutes=5)
Segue = Callable[..., Result]


def line_of(stage: str, second: float, **more: Any) -> dict[str, Any]:
    began = BEGAN + timedelta(seconds=second)
    return {
        "kind": "stage_attempt",
        "stage": stage,
        "outcome": "succeeded",
        "disposition": "ack",
        "time": (began + timedelta(seconds=1)).isoformat(),
        "started_at": began.isoformat(),
        "duration_ms": 1000.25,
        "delivery_attempt": 3,
        "logging.googleapis.com/labels": {"correlation_id": "story-1", "step": "write"},
        "logging.googleapis.com/trace": f"projects/{PROJECT}/traces/{TRACE}",
        "logging.googleapis.com/spanId": f"{stage:>016}",
        "logging.googleapis.com/trace_sampled": True,
        **more,
    }


LINES = (
    line_of("route", 0),
    line_of(
        "generate",
        1.5,
        cost_usd=0.25,
        **{"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5},
    ),
    line_of("act", 2, disposition="nack", error={"code": "ClaimBusy", "message": "[b]busy[/]"}),
)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CloudLogging]:
    """The same lines in Cloud Logging and in the log of a local system."""
    (tmp_path / "logs").mkdir()
    log = "".join(f"{json.dumps(line)}\n" for line in LINES)
    (tmp_path / "logs" / "stages.jsonl").write_text(log, "utf-8")
    monkeypatch.setattr("shared.cli.commands.trace.STATE_DIR", tmp_path)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    settings.cache_clear()
    with served(PROJECT) as standin:
        for line in LINES:
            standin.write(line)

        def reader(project: str, prefix: str) -> CloudLogs:
            channel = grpc.aio.insecure_channel(standin.address)
            transport = LoggingServiceV2GrpcAsyncIOTransport(channel=channel)
            client = LoggingServiceV2AsyncClient(transport=transport)
            return CloudLogs(client, Deployment(project, prefix))

        monkeypatch.setattr("shared.cli.cloud_story.build_log_reader", reader)
        yield standin
    settings.cache_clear()


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.usefixtures("cloud")
def test_the_waterfall_is_that_of_the_local_log() -> None:
    local, deployed = segue("trace", TRACE), segue("trace", TRACE, "--cloud")
    assert (local.exit_code, deployed.exit_code) == (0, 0)
    assert local.stdout.count("█") > 3
    assert "15 tokens $0.25" in local.stdout
    assert deployed.stdout.startswith(local.stdout)
    assert deployed.stderr == ""


@pytest.mark.usefixtures("cloud")
def test_after_it_come_the_window_and_the_links() -> None:
    local, deployed = segue("trace", "story-1"), segue("trace", "story-1", "--cloud")
    scope, explorer, trace = deployed.stdout.removeprefix(local.stdout).splitlines()
    assert scope.startswith("Cloud Logging of my-project, services segue-*, the last 1d: since 20")
    assert explorer.startswith("Logs Explorer  https://console.cloud.google.com/logs/query;query=")
    assert 'labels.correlation_id="story-1"' in unquote(explorer)
    assert explorer.endswith("?project=my-project")
    assert trace == (
        "Cloud Trace  https://console.cloud.google.com/traces/explorer"
        f";traceId={TRACE}?project=my-project"
    )


def test_without_stored_spans_there_is_no_link_to_them(cloud: CloudLogging) -> None:
    cloud.entries.clear()
    cloud.write({**LINES[0], "logging.googleapis.com/trace_sampled": False})
    told = segue("trace", "story-1", "--cloud").stdout
    assert "Logs Explorer" in told
    assert "Cloud Trace" not in told


@pytest.mark.usefixtures("cloud")
def test_json_is_the_list_of_the_local_log_and_the_links_are_beside_it() -> None:
    local, deployed = (segue("trace", "story-1", "--json", *more) for more in ([], ["--cloud"]))
    assert json.loads(deployed.stdout) == json.loads(local.stdout)
    assert [entry["stage"] for entry in json.loads(local.stdout)] == ["route", "generate", "act"]
    assert [line.split("  ")[0] for line in deployed.stderr.splitlines()[1:]] == [
        "Logs Explorer",
        "Cloud Trace",
    ]


@pytest.mark.usefixtures("cloud")
def test_a_story_that_was_cut_says_so() -> None:
    whole = segue("trace", "story-1", "--cloud", "--limit", "3")
    some = segue("trace", "story-1", "--cloud", "--limit", "2")
    assert "cut:" not in whole.stdout
    assert "cut: the latest 2 attempts, older ones are left out; see --limit" in some.stdout
    assert "route" not in some.stdout.partition("cut:")[0]


@pytest.mark.usefixtures("cloud")
def test_what_is_not_there_names_the_window_and_the_remedy() -> None:
    done = segue("trace", "nope", "--cloud", "--since", "2h")
    assert isinstance(done.exception, NotInWindowError)
    assert "no line mentions 'nope' in Cloud Logging of my-project" in str(done.exception)
    assert "the last 2h: since 20" in str(done.exception)
    assert "Look further back with --since" in str(done.exception)


def test_the_project_named_is_the_one_asked(cloud: CloudLogging) -> None:
    segue("trace", "story-1", "--cloud", "--project", "another")
    assert [list(request.resource_names) for request in cloud.requests] == [["projects/another"]]


def test_without_a_project_nothing_is_asked(
    cloud: CloudLogging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "segue-local")  # what `segue env` exports
    settings.cache_clear()
    done = segue("trace", "story-1", "--cloud")
    assert isinstance(done.exception, NoProjectError)
    assert cloud.requests == []


def test_a_refusal_reaches_the_person(cloud: CloudLogging) -> None:
    cloud.refusals = [Refusal(grpc.StatusCode.PERMISSION_DENIED, "The caller has no permission")]
    assert isinstance(segue("trace", "story-1", "--cloud").exception, CloudDeniedError)


def test_a_missing_login_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(CloudLoginError, match=r"gone\.json.*`gcloud auth application-default"):
        build_client()
