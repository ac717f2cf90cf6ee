"""The `segue` command as a person or a script meets it: output, JSON and exit codes."""

from __future__ import annotations

import json

import pytest

from emulator.engine_choice import EngineName
from tests.emulator.harness import Harness

# What it prints does not depend on the engine.
pytestmark = pytest.mark.parametrize("system", [EngineName.EMBEDDED], indirect=True, ids=str)


async def test_publish_wait_exits_by_the_outcome(system: Harness) -> None:
    good = await system.segue("publish", "joke.requested", "--data", '{"topic": "cats"}', "--wait")
    bad = await system.segue("publish", "joke.requested", "--data", '{"topic": 1}', "--wait")
    nobody = await system.segue("publish", "nobody.cares", "--wait")
    usage = await system.segue("publish", "x", "--data", "{")

    assert [good[0], bad[0], nobody[0], usage[0]] == [0, 1, 1, 2]
    assert "succeeded" in good[1]
    assert "InputInvalid" in bad[1]
    assert "no flow takes events of type 'nobody.cares'" in nobody[2]
    assert "not JSON" in usage[2]


async def test_show_json_has_the_public_shape(system: Harness) -> None:
    _, out, _ = await system.segue(
        "publish", "joke.requested", "--data", '{"topic": "json"}', "--wait", "--json"
    )
    run_id = json.loads(out)["runs"][0]["run_id"]
    code, out, _ = await system.segue("show", run_id, "--json")
    shown = json.loads(out)

    assert code == 0
    assert shown["run_id"] == run_id
    assert shown.keys() >= {"flow", "flow_version", "status", "correlation_id", "outputs", "error"}
    assert shown["event"].keys() == {"id", "type"}
    assert shown["totals"].keys() == {"llm_calls", "tokens", "cost_usd"}
    step = shown["steps"]["write"]
    assert step["prompt"].keys() == {"name", "version", "variant"}
    assert step["tokens"].keys() == {"input", "output"}
    assert step.keys() >= {"status", "attempts", "output", "error", "started_at", "finished_at"}
    assert step.keys() >= {"model", "cost_usd"}


async def test_trace_tells_every_stage_of_a_correlation_id(system: Harness) -> None:
    _, out, _ = await system.segue(
        "publish", "joke.requested", "--data", '{"topic": "t"}', "--wait", "--json",
        "--correlation-id", "story-1",
    )  # fmt: skip
    run_id = json.loads(out)["runs"][0]["run_id"]
    _, told, _ = await system.segue("trace", "story-1", "--json")
    drawn = await system.segue("trace", run_id)

    entries = json.loads(told)
    assert [entry["stage"] for entry in entries] == [
        "route", "compose", "generate", "compose", "generate",
    ]  # fmt: skip
    assert len({entry["trace_id"] for entry in entries}) == 1
    assert {len(entry["span_id"]) for entry in entries} == {16}
    spans = [entry["span_id"] for entry in entries]
    assert [entry["parent_span_id"] for entry in entries[1:]] == spans[:-1]
    assert drawn[0] == 0
    assert "█" in drawn[1]


async def test_runs_filters_by_flow_and_status(system: Harness) -> None:
    await system.segue("publish", "joke.requested", "--data", '{"topic": "f"}', "--wait")
    _, out, _ = await system.segue("runs", "--flow", "joke", "--status", "succeeded", "--json")
    found = json.loads(out)

    assert found
    assert {(run["flow"], run["status"]) for run in found} == {("joke", "succeeded")}
    assert found == sorted(found, key=lambda run: run["created_at"], reverse=True)


async def test_unknown_things_are_said_plainly(system: Harness) -> None:
    run = await system.segue("show", "nope")
    letter = await system.segue("dead-letters", "show", "nope")
    trace = await system.segue("trace", "nope")

    assert [run[0], letter[0], trace[0]] == [2, 2, 2]
    assert "there is no run 'nope'" in run[2]
    assert "Traceback" not in run[2] + letter[2] + trace[2]


async def test_env_prints_exports_for_any_client(system: Harness) -> None:
    code, out, _ = await system.segue("env")

    assert code == 0
    assert f"export PUBSUB_EMULATOR_HOST={system.state.environment['PUBSUB_EMULATOR_HOST']}" in out
    assert "export GOOGLE_CLOUD_PROJECT=" in out


async def test_prompt_text_stays_out_of_the_logs(system: Harness) -> None:
    secret = "zanzibar-marker"
    await system.only_run(await system.publish("joke.requested", {"topic": secret}))
    with open(system.state.log, encoding="utf-8") as log:  # noqa: ASYNC230, PTH123 - a local file
        assert secret not in log.read()
