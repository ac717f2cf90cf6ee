"""A run that waits for time, a signal, an event and an approval, told by command and by link."""

from __future__ import annotations

import json
from typing import Any

import httpx

from shared.delivery.runs.report import report_of
from tests.emulator.harness import Harness


async def test_a_run_waits_for_people_and_events_and_is_told(system: Harness) -> None:
    event_id = await system.publish("test.patient", {})

    async def opened() -> str | None:
        found = await system.store.get(f"events/{system.key(event_id)}")
        return found.data["runs"][0] if found is not None and found.data["runs"] else None

    run_id = await system.eventually(opened, "the run")
    said = await system.segue("signal", run_id, "early", "--data", '{"n": 7}')
    assert said[0] == 0, said
    await system.publish("test.paid", {"run": run_id, "amount": 12})

    async def asks() -> dict[str, Any] | None:
        report = await report_of(run_id, system.deps)
        return report if report["steps"]["ask"]["status"] == "waiting" else None

    report = await system.eventually(asks, "the question")
    assert report["steps"]["ask"]["waits_for"]["approvers"] == ["ada"]
    code, _, told = await system.segue("approve", run_id, "ask", "--by", "eve")
    assert (code, "may not decide" in told) == (1, True)
    link = await system.segue("approve-link", run_id, "ask", "--by", "ada", "--json")
    assert link[0] == 0, link
    async with httpx.AsyncClient(trust_env=False) as browser:
        address = json.loads(link[1])["link"]
        page = await browser.get(address)
        assert (page.status_code, "<form" in page.text) == (200, True)
        assert page.headers["content-type"].startswith("text/html")
        assert (await browser.get(address[:-2] + "xx")).status_code == 404
        done = await browser.post(address, data={"decision": "approve", "comment": "go"})
        assert done.status_code == 202
    run = await system.only_run(event_id)
    assert run["outputs"] == {"said": {"n": 7}, "by": "ada", "paid": 12}
    assert run["steps"]["ask"]["output"]["comment"] == "go"
    assert (await system.segue("reject", run_id, "ask", "--by", "ada"))[0] == 1


async def test_a_run_asks_for_money_and_goes_on_when_it_has_some(system: Harness) -> None:
    event_id = await system.publish("test.thrifty", {})

    async def asks() -> str | None:
        event = await system.store.get(f"events/{system.key(event_id)}")
        if event is None or not event.data["runs"]:
            return None
        run_id: str = event.data["runs"][0]
        step = (await report_of(run_id, system.deps))["steps"]["first"]
        return run_id if step.get("waits_for", {}).get("for") == "money" else None

    run_id = await system.eventually(asks, "the question")
    done = await system.segue("approve", run_id, "first", "--usd", "0.5", "--by", "ada")
    assert done[0] == 0, done
    run = await system.only_run(event_id)
    [budget] = run["totals"]["budget"]
    assert (run["status"], budget["usd"]["raised"]) == ("succeeded", 0.5)
    assert (budget["usd"]["reserved"], budget["usd"]["spent"] > 0) == (0, True)
