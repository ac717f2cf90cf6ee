"""The console behind the gateway: a run is found, approved, signalled, and told as it is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from emulator.engine_choice import EngineName
from tests.emulator.harness import Harness

# What it asks of the engine, the tests of the command line and the flows ask of both.
pytestmark = pytest.mark.parametrize("system", [EngineName.EMBEDDED], indirect=True, ids=str)


async def test_a_run_that_waits_is_found_and_acted_on_over_http(system: Harness) -> None:
    event_id = await system.publish("test.asked", {})

    async def waiting() -> dict[str, Any] | None:
        found = await system.ask("GET", "/api/runs?flow=asked&status=waiting&limit=5")
        return next((run for run in found.json() if run["event"]["id"] == event_id), None)

    run = f"/api/runs/{(await system.eventually(waiting, 'the run'))['run_id']}"
    approved = await system.ask("POST", f"{run}/steps/ok/approve", {"comment": "fine"})
    signalled = await system.ask("POST", f"{run}/signals/paid%2Fin%20full", {"amount": 3})
    report = await system.only_run(event_id)
    shown = await system.ask("GET", run)
    late = await system.ask("POST", f"{run}/cancel")

    assert [approved.status_code, signalled.status_code] == [202, 202]
    assert shown.json() == json.loads(json.dumps(report))
    assert shown.headers["cache-control"] == "no-store"
    user = next(iter(json.loads(system.state.environment["SEGUE_CONSOLE_TOKENS"])))
    assert report["outputs"] == {"by": user, "paid": {"amount": 3}}
    assert (late.status_code, late.json()["error"]["code"]) == (409, "RunEnded")


async def test_nobody_is_let_in_without_a_token_that_the_log_never_tells(system: Harness) -> None:
    url = f"{system.state.urls['console']}/api/runs"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 401
    assert (await system.ask("GET", "/api/runs?limit=1")).status_code == 200
    with open(system.state.log, encoding="utf-8") as log:  # noqa: ASYNC230, PTH123 - a local file
        assert system.state.environment["SEGUE_CONSOLE_TOKEN"] not in log.read()
