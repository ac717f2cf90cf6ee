"""`segue flows check` and the runs under way: what this version could not serve, or not move."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.cli.app import app
from shared.cli.commands import check as commands_check
from shared.client.connection import NothingRunningError
from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.prompts.records import PromptHead
from shared.domain.records import RunRecord, RunStatus, StepRecord, run_path, step_path
from shared.domain.version import FlowVersion
from shared.errors import StoreUnavailableError
from shared.ports import Create
from shared.prompting.library import read_library
from shared.prompting.prompt_file import read_prompt
from shared.prompting.pushing import By, PromptChanges
from shared.prompting.registry import StoredPrompts
from shared.prompting.resolving import with_prompts
from shared.runtime.settings import settings
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World

NOW = datetime(2026, 3, 27, 20, tzinfo=UTC)
LOG = "{action: log.write, with: {message: m}}"
TODAY = f"flow: f\non: {{event: t}}\nsteps: {{a: {LOG}}}\n"


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["flows", "check", *arguments])


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: World) -> Iterator[None]:
    """Today, flow `f` has one step; `world` is the system at hand."""
    row = read_stages().stages["route"]
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "f.yaml").write_text(TODAY, "utf-8")
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    monkeypatch.setattr(commands_check, "connect", lambda: world.deps(row, lambda: "operator"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def version_of(**steps: dict[str, Any]) -> FlowVersion:
    declared = {"flow": "f", "on": {"event": "t"}, "steps": steps}
    return FlowVersion.model_validate({"flow": declared})


def write(**more: Any) -> dict[str, Any]:
    return {"action": "log.write", "with": {"message": "m"}, **more}


def today(tmp_path: Path) -> FlowVersion:
    return read_library(tmp_path).flows["f"]


async def under_way(
    deps: Deps,
    run_id: str,
    version: FlowVersion,
    steps: dict[str, StepStatus],
    status: RunStatus = RunStatus.RUNNING,
) -> None:
    """A run in the store, with the version it is pinned to."""
    await deps.flows.ensure_stored(version)
    run = RunRecord(
        run_id=run_id,
        flow=version.flow.flow,
        flow_version=version.version,
        status=status,
        correlation_id="c",
        event_key="k",
        event_id="e",
        event_type="t",
        traceparent="",
        opened_by="m",
        created_at=NOW,
        expire_at=NOW,
    )
    records = [
        StepRecord(run_id=run_id, flow="f", step=name, stage="act", status=each, expire_at=NOW)
        for name, each in steps.items()
    ]
    writes = [Create(step_path(run_id, step.step), step.document()) for step in records]
    await deps.store.commit([Create(run_path(run_id), run.document()), *writes])


async def test_runs_of_todays_and_of_stored_versions_are_served_and_counted(
    deps: Deps, tmp_path: Path
) -> None:
    same = version_of(a=write(when="1 > 2"))
    await under_way(deps, "f-1", today(tmp_path), {})
    await under_way(deps, "f-2", same, {"a": StepStatus.RUNNING}, RunStatus.WAITING)
    await under_way(deps, "f-3", same, {"a": StepStatus.SUCCEEDED}, RunStatus.SUCCEEDED)

    done = await invoked()
    assert done.exit_code == 0
    told = " ".join(done.stdout.split())
    assert f"f {today(tmp_path).version} 1 run today's version" in told
    assert f"f {same.version} 1 run stay on their stored version" in told
    assert "could not be moved" not in told


async def test_a_run_that_could_not_be_moved_is_told_with_the_reason(deps: Deps) -> None:
    gone = version_of(a=write(), b=write(needs="a"))
    await under_way(deps, "f-1", gone, {"a": StepStatus.SUCCEEDED, "b": StepStatus.RUNNING})

    done = await invoked()
    assert done.exit_code == 0
    assert "could not be moved to today's version: f-1: step 'b' is gone" in done.stdout
    [standing] = json.loads((await invoked("--in-flight", "--json")).stdout)["in_flight"]
    assert standing["cannot_be_moved"] == {"f-1": ["step 'b' is gone"]}
    assert (standing["runs"], standing["cannot_be_served"]) == (["f-1"], {})


async def test_a_run_whose_function_is_gone_is_a_break(deps: Deps) -> None:
    calling = version_of(a=write(), b={"call": "lost.function", "needs": "a"})
    await under_way(deps, "f-1", calling, {"a": StepStatus.SUCCEEDED})
    await under_way(deps, "f-2", calling, {"a": StepStatus.RUNNING, "b": StepStatus.SUCCEEDED})

    done = await invoked()
    assert done.exit_code == 1
    assert (
        "cannot be served: f-1: step 'b' calls 'lost.function', which is no longer registered"
        in done.stderr
    )
    assert "f-2: step 'b' calls" not in done.stderr
    assert "segue cancel RUN" in done.stderr
    quiet = await invoked("--json")
    assert (quiet.exit_code, json.loads(quiet.stdout)) == (1, [])
    assert "lost.function" in quiet.stderr


@pytest.mark.parametrize("kept", ['{"flow": {"flow": "f", "of": "tomorrow"}}', None])
async def test_a_run_whose_version_cannot_be_had_is_a_break(
    deps: Deps, world: World, kept: str | None
) -> None:
    version = version_of(a=write(), b=write())
    await under_way(deps, "f-1", version, {})
    path = f"flows/{version.version}"
    stored = world.documents.documents.pop(path)
    if kept is not None:
        await deps.store.commit([Create(path, {**stored.data, "declaration": kept})])

    done = await invoked()
    assert done.exit_code == 1
    assert "cannot be served: f-1: its " in done.stderr


async def test_a_flow_that_is_gone_goes_on_and_cannot_be_moved(deps: Deps) -> None:
    other = FlowVersion.model_validate(
        {"flow": {"flow": "old", "on": {"event": "t"}, "steps": {"a": write()}}}
    )
    await under_way(deps, "old-1", other, {})
    done = await invoked()
    assert done.exit_code == 0
    assert "old-1: there is no such flow today" in done.stdout


async def test_many_runs_are_named_in_part(deps: Deps) -> None:
    calling = version_of(b={"call": "lost.function"})
    for n in range(12):
        await under_way(deps, f"f-{n:02}", calling, {})
    told = (await invoked()).stderr
    assert "f-09" in told
    assert "f-10" not in told
    assert "and 2 runs more" in told


@pytest.mark.parametrize("error", [NothingRunningError("nothing"), StoreUnavailableError("away")])
def test_without_a_system_the_files_alone_are_checked(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def connect() -> Deps:
        raise error

    monkeypatch.setattr(commands_check, "connect", connect)
    done = segue()
    assert done.exit_code == 0
    assert "not compared with runs under way" in done.stderr
    assert segue("--no-in-flight").stderr == ""
    assert segue("--in-flight").exception is error


@pytest.mark.parametrize("away", [False, True])
async def test_runs_are_compared_with_what_labels_point_at_where_that_can_be_read(
    deps: Deps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, away: bool
) -> None:
    head = "---\ndescription: d\nmodel: m\n---\n"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "say.md.j2").write_text(f"{head}Hi.", "utf-8")
    (tmp_path / "flows" / "f.yaml").write_text(TODAY.replace(LOG, "{prompt: say}"), "utf-8")
    newer = read_prompt("say", f"{head}Ho.", "f", {})
    await PromptChanges(deps.store).push(newer, By("ada", NOW), label="production")
    pinned = with_prompts(today(tmp_path), {"say": newer})
    await under_way(deps, "f-1", pinned, {})
    await under_way(deps, "f-2", today(tmp_path), {})
    if away:

        async def heads(_: StoredPrompts) -> list[PromptHead]:
            raise StoreUnavailableError("away")

        monkeypatch.setattr(StoredPrompts, "heads", heads)
    done = await invoked()
    told = " ".join(done.stdout.split())
    same, other = (today(tmp_path), pinned) if away else (pinned, today(tmp_path))
    assert f"f {same.version} 1 run today's version" in told
    assert f"f {other.version} 1 run stay on their stored version" in told
    assert ("the bundled copies alone" in told, "what labels point at now" in told) == (
        away,
        not away,
    )
    found = json.loads((await invoked("--in-flight", "--json")).stdout)
    assert found["prompts"] == ("bundled" if away else "labels")


async def invoked(*arguments: str) -> Result:
    """The command in a thread, as it has an event loop of its own."""
    return await asyncio.to_thread(segue, *arguments)
