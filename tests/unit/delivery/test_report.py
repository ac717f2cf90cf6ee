"""A run as `segue show --json` gives it: the public shape, put together from records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.delivery.commands.commanding import RunUnknownError
from shared.delivery.deps import Deps
from shared.delivery.runs.report import report_of, step_report, summary_of
from shared.domain.chain import StepStatus
from shared.domain.envelope import PromptPin
from shared.domain.records import (
    Attempt,
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    Tokens,
    Usage,
    run_path,
    step_path,
)
from shared.domain.stages import Stage
from shared.domain.version import FlowVersion
from shared.ports import Create
from shared.runtime.stage_table import read_stages

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = Failure(code="ModelBusy", message="busy", step="zeta")


@pytest.fixture
def version() -> FlowVersion:
    step = {"action": "log.write", "with": {"message": "m"}}
    steps = {"zeta": step, "alpha": {**step, "needs": "zeta"}, "never": {**step, "needs": "alpha"}}
    return FlowVersion.model_validate({"flow": {"flow": "f", "on": {"event": "t"}, "steps": steps}})


@pytest.fixture
def stage() -> Stage:
    return read_stages().stages["route"]


def run_of(version: str, **changes: Any) -> RunRecord:
    return RunRecord(
        run_id="run-1",
        flow="f",
        flow_version=version,
        correlation_id="story-1",
        event_key="k",
        event_id="event-1",
        event_type="t",
        traceparent="",
        opened_by="m",
        created_at=NOW,
        expire_at=NOW,
    ).model_copy(update=changes)


def step_of(name: str, **changes: Any) -> StepRecord:
    record = StepRecord(run_id="run-1", flow="f", step=name, stage="act", expire_at=NOW)
    return record.model_copy(update=changes)


def call(cost: float | None, outcome: str = "succeeded") -> Attempt:
    usage = Usage(llm_calls=1, tokens=Tokens(input=10, output=5), cost_usd=cost)
    return Attempt(n=1, started_at=NOW, outcome=outcome, usage=usage)


async def store(deps: Deps, run: RunRecord, *steps: StepRecord) -> None:
    writes = [Create(run_path("run-1"), run.document())]
    writes += [Create(step_path("run-1", step.step), step.document()) for step in steps]
    await deps.store.commit(writes)


async def test_a_report_has_the_public_shape(deps: Deps, version: FlowVersion) -> None:
    run = run_of(
        version.version,
        status=RunStatus.SUCCEEDED,
        finished_at=NOW + timedelta(seconds=2),
        outputs={"a": 1},
    )
    await store(deps, run, step_of("zeta", status=StepStatus.SUCCEEDED, attempts=[call(0.25)]))
    report = await report_of("run-1", deps)
    steps = report.pop("steps")
    assert report == {
        "run_id": "run-1",
        "flow": "f",
        "flow_version": version.version,
        "status": "succeeded",
        "correlation_id": "story-1",
        "event": {"id": "event-1", "type": "t"},
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:02Z",
        "outputs": {"a": 1},
        "error": None,
        "redrives": 0,
        "paused": False,
        "totals": {"llm_calls": 1, "tokens": {"input": 10, "output": 5}, "cost_usd": 0.25},
    }
    assert {"status", "attempts", "output", "error", "tokens", "cost_usd"} <= set(steps["zeta"])


async def test_steps_come_in_the_flows_order_with_those_that_never_started(
    deps: Deps, version: FlowVersion
) -> None:
    await store(deps, run_of(version.version), step_of("zeta"))
    report = await report_of("run-1", deps)
    assert [(name, step["status"]) for name, step in report["steps"].items()] == [
        ("zeta", "running"),
        ("alpha", "pending"),
        ("never", "pending"),
    ]


async def test_a_run_whose_version_is_gone_can_still_be_shown(deps: Deps) -> None:
    await store(deps, run_of("0000"), step_of("zeta"), step_of("alpha"))
    assert list((await report_of("run-1", deps))["steps"]) == ["alpha", "zeta"]


async def test_totals_count_every_attempt_and_stay_unpriced_where_one_is(
    deps: Deps, version: FlowVersion
) -> None:
    retried = step_of("zeta", attempts=[call(0.5, "released"), call(0.5)])
    await store(deps, run_of(version.version), retried, step_of("alpha", attempts=[call(None)]))
    totals = (await report_of("run-1", deps))["totals"]
    assert totals == {"llm_calls": 3, "tokens": {"input": 30, "output": 15}, "cost_usd": None}


async def test_a_run_that_does_not_exist_is_told(deps: Deps) -> None:
    with pytest.raises(RunUnknownError, match="no run 'run-9'"):
        await report_of("run-9", deps)


def test_a_step_that_is_not_recorded_is_pending() -> None:
    assert step_report(None) == {
        "status": "pending",
        "attempts": 0,
        "output": None,
        "error": None,
    }


def test_a_step_shows_its_prompt_its_error_and_the_answers_that_did_not_fit() -> None:
    record = step_of(
        "zeta",
        status=StepStatus.FAILED,
        error=FAILURE,
        answers=["not json"],
        prompt=PromptPin(name="p", version="v"),
        model="m-001",
        attempts=[call(0.5, "failed")],
    )
    shown = step_report(record)
    assert shown["error"] == {"code": "ModelBusy", "message": "busy", "step": "zeta"}
    assert shown["prompt"] == {"name": "p", "version": "v", "variant": None}
    assert (shown["model"], shown["answers"], shown["cost_usd"]) == ("m-001", ["not json"], 0.5)
    assert [attempt["outcome"] for attempt in shown["ledger"]] == ["failed"]


def test_a_summary_is_one_row() -> None:
    assert summary_of(run_of("v"))["finished_at"] is None
