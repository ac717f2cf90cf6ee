"""`segue flows graph`: as what and where to it draws, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.system_clock import SystemClock
from shared.cli.app import app
from shared.cli.commands import graph as commands_graph
from shared.cli.commands.flows import NoSuchFlowError
from shared.cli.commands.graph import NotItsRunError, UnwritableError
from shared.delivery.commands.commanding import RunUnknownError
from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, RunStatus, StepRecord, run_path, step_path
from shared.domain.version import FlowVersion
from shared.errors import VersionMissingError
from shared.ports import Create
from shared.prompting.library import Library
from shared.runtime.settings import settings
from shared.testing.pipeline import World

TODAY = "flow: f\non: {event: t}\nsteps: {today: {action: log.write, with: {message: m}}}\n"


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Today, flow `f` has one step; the run in the store is on another version."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "f.yaml").write_text(TODAY, "utf-8")
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
async def _stored(
    monkeypatch: pytest.MonkeyPatch, world: World, deps: Deps, version: FlowVersion
) -> None:
    await deps.flows.ensure_stored(version)
    await store_run(deps, version.version)
    await store_run(deps, "0123", "run-2")
    world.library = Library({}, {}, ())  # the flow has been deleted meanwhile
    monkeypatch.setattr(commands_graph, "connect", lambda: deps)


async def store_run(deps: Deps, version: str, run_id: str = "run-1") -> None:
    now = SystemClock().now()
    run = RunRecord(
        run_id=run_id,
        flow="f",
        flow_version=version,
        status=RunStatus.RUNNING,
        correlation_id="story-1",
        event_key="k",
        event_id="event-1",
        event_type="t",
        traceparent="",
        opened_by="m",
        created_at=now,
        expire_at=now,
    )
    step = StepRecord(
        run_id=run_id,
        flow="f",
        step="zeta",
        stage="act",
        status=StepStatus.SUCCEEDED,
        started_at=now,
        finished_at=now,
        expire_at=now,
    )
    await deps.store.commit(
        [
            Create(run_path(run_id), run.document()),
            Create(step_path(run_id, "zeta"), step.document()),
        ]
    )


def test_a_flow_is_mermaid_text_on_standard_output_unless_told_otherwise() -> None:
    done = segue("flows", "graph", "f")
    assert done.exit_code == 0
    assert "flowchart TD\n" in done.stdout
    assert segue("flows", "graph", "f", "--format", "svg").stdout.startswith("<svg ")


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("f.svg", "<svg "), ("f.HTML", "<!DOCTYPE html>"), ("f.mmd", "%% flow f")],
)
def test_a_file_is_what_its_name_ends_in(tmp_path: Path, name: str, beginning: str) -> None:
    done = segue("flows", "graph", "f", "-o", str(tmp_path / name))
    assert (tmp_path / name).read_text("utf-8").startswith(beginning)
    assert done.stdout == f"wrote {tmp_path / name}\n"


def test_a_format_goes_before_what_a_name_ends_in(tmp_path: Path) -> None:
    segue("flows", "graph", "f", "--format", "svg", "--out", str(tmp_path / "f.txt"))
    assert (tmp_path / "f.txt").read_text("utf-8").startswith("<svg ")


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize("named", [["f"], []])
def test_a_run_is_drawn_in_the_version_that_it_is_pinned_to(named: list[str]) -> None:
    done = segue("flows", "graph", *named, "--run", "run-1")
    assert "✓ succeeded" in done.stdout
    assert "step_zeta" in done.stdout
    assert "step_today" not in done.stdout


@pytest.mark.usefixtures("_stored")
def test_json_prints_nodes_and_edges() -> None:
    told: dict[str, Any] = json.loads(
        segue("flows", "graph", "f", "--run", "run-1", "--json").stdout
    )
    assert [node["name"] for node in told["nodes"]] == ["$start", "zeta", "alpha", "never", "$end"]
    assert told["nodes"][1]["state"]["status"] == "succeeded"
    edge = {"source": "$start", "target": "zeta", "way": "next", "taken": True}
    assert edge in told["edges"]


@pytest.mark.usefixtures("_stored")
@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["nope"], NoSuchFlowError, "there is no flow 'nope'"),
        (["--run", "run-9"], RunUnknownError, "there is no run 'run-9'"),
        (["g", "--run", "run-1"], NotItsRunError, "run 'run-1' is one of flow 'f', not 'g'"),
        (["f", "-o", "/nowhere/f.svg"], UnwritableError, "cannot write /nowhere/f.svg: No such"),
        (["f", "-o", "."], UnwritableError, "cannot write .: Is a directory"),
        (["--run", "run-2"], VersionMissingError, "flow 'f', version 0123"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    arguments: list[str], error: type[Exception], told: str
) -> None:
    done = segue("flows", "graph", *arguments, "--format", "svg")
    assert type(done.exception) is error
    assert told in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a FLOW"),
        (["f", "--json", "--format", "svg"], "--json prints nodes and edges"),
        (["f", "-o", "f.png"], "name a FILE in .svg"),
    ],
)
def test_bad_usage_is_refused(arguments: list[str], told: str) -> None:
    done = segue("flows", "graph", *arguments)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
