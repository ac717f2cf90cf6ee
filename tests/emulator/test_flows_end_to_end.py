"""Both flows that come with it, from a published event to a finished run, in real processes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from emulator.surroundings import LOCAL_HOOK_SECRET
from shared.delivery.runs.report import report_of
from shared.domain.version import PromptVersion
from shared.ports import Query
from shared.prompting.library import read_library
from shared.prompting.pushing import By, PromptChanges
from tests.emulator.harness import Harness

TICKET = {
    "id": "T-7",
    "from": "jonas@example.com",
    "subject": "Charged twice",
    "body": "My card was charged twice this month, please refund one payment.",
}

PROVIDER_IS_ILL = {"provider_id": "T001", "date": "2025-11-21", "reason": "sick"}


async def test_a_ticket_is_classified_answered_mailed_and_recorded(system: Harness) -> None:
    event_id = await system.publish("support.ticket.created", TICKET)
    run = await system.only_run(event_id)

    assert run["status"] == "succeeded", run
    assert run["outputs"]["category"] == "billing"
    assert run["outputs"]["reply"] == run["steps"]["draft"]["output"]["text"]
    assert run["steps"].pop("approve")["status"] == "skipped"  # the draft is sure of itself
    assert {step["status"] for step in run["steps"].values()} == {"succeeded"}
    assert {step["attempts"] for step in run["steps"].values()} == {1}
    assert run["steps"]["customer"]["output"]["plan"] == "enterprise"
    assert run["totals"]["llm_calls"] == 2
    assert run["totals"]["cost_usd"] > 0
    ticket = await system.store.get("tickets/T-7")
    assert ticket is not None
    assert ticket.data["reply"] == run["outputs"]["reply"]
    outbox = [json.loads(p.read_text()) for p in (system.folder / "state/outbox").glob("*.json")]
    mails = [item for item in outbox if item["to"] == ["jonas@example.com"]]
    assert [mail["text"].strip() for mail in mails] == [run["outputs"]["reply"].strip()]


async def test_spam_is_sorted_out_without_a_reply(system: Harness) -> None:
    spam = {**TICKET, "id": "T-8", "body": "Boost your SEO ranking now, crypto accepted!"}
    run = await system.only_run(await system.publish("support.ticket.created", spam))

    assert run["status"] == "succeeded", run
    assert run["outputs"] == {"category": "spam", "reply": None}
    skipped = {name for name, step in run["steps"].items() if step["status"] == "skipped"}
    assert skipped == {"draft", "approve", "send", "record"}
    assert await system.store.get("tickets/T-8") is None


async def test_a_joke_is_written_and_criticised(system: Harness) -> None:
    run = await system.only_run(await system.publish("joke.requested", {"topic": "pirates"}))

    assert run["status"] == "succeeded", run
    assert run["outputs"]["joke"] == run["steps"]["write"]["output"]["text"]
    assert run["steps"]["critique"]["prompt"]["name"] == "joke/critique"
    assert run["steps"]["critique"]["tokens"]["output"] > 0


async def test_the_same_event_published_20_times_at_once_is_one_run(system: Harness) -> None:
    await system.forget_calls()
    event_id = "twenty-times"
    data = {"topic": "echoes"}
    await asyncio.gather(
        *(system.publish("joke.requested", data, event_id=event_id) for _ in range(20))
    )
    run = await system.only_run(event_id)
    found = await system.store.find(Query("runs", (("event_id", "==", event_id),)))

    assert run["status"] == "succeeded"
    assert [document.name for document in found] == [run["run_id"]]
    assert {step["attempts"] for step in run["steps"].values()} == {1}
    assert await system.model_calls() == 2


async def test_a_50_way_join_fires_once(system: Harness) -> None:
    run = await system.only_run(await system.publish("test.wide", {}), seconds=120)

    assert run["status"] == "succeeded"
    assert len(run["steps"]) == 51
    assert {step["attempts"] for step in run["steps"].values()} == {1}
    log = Path(system.state.log).read_text("utf-8").splitlines()
    joined = [line for line in log if '"message": "joined"' in line and run["run_id"] in line]
    assert len(joined) == 1


async def test_runs_of_one_key_take_turns_and_events_start_a_run_together(system: Harness) -> None:
    turns, bunch = ([f"{name}-{n}" for n in range(4)] for name in ("turn", "bunch"))
    for event_id in bunch:
        await system.publish("test.bunch", {}, event_id=event_id)
    same = {"key": "same"}
    await asyncio.gather(*(system.publish("test.turns", same, event_id=one) for one in turns))
    runs = [await system.only_run(event_id) for event_id in turns]

    assert {run["status"] for run in runs} == {"succeeded"}
    stored = [await system.store.get(f"runs/{run['run_id']}") for run in runs]
    tickets = {one.name: one.data["ticket"] for one in stored if one is not None}
    runs.sort(key=lambda run: tickets[run["run_id"]])
    for before, after in itertools.pairwise(runs):
        assert before["finished_at"] <= after["steps"]["first"]["started_at"]

    async def together() -> list[list[str]] | None:
        await system.publish_raw("sweep", b"{}", {})
        found = await system.store.find(Query("runs", (("flow", "==", "bunch"),)))
        ids = [json.loads(one.data["outputs"])["ids"] for one in found if one.data["finished_at"]]
        return ids if sum(map(len, ids)) == len(bunch) else None

    batches = await system.eventually(together, "all events in batches")
    assert sorted(one for batch in batches for one in batch) == bunch


async def test_what_a_failed_run_has_done_is_undone_and_its_hook_is_told(system: Harness) -> None:
    event_id = await system.publish("test.undone", {})

    async def undone() -> str | None:
        found = await system.store.get(f"put/{event_id}")
        return found.data.get("undone") if found is not None else None

    run_id = await system.eventually(undone, "the undoing")
    told = await system.eventually(lambda: system.store.get(f"told/{run_id}"), "the hook")
    assert told.data["code"] == "RecordTooLarge"
    run = await system.store.get(f"runs/{run_id}")
    assert run is not None
    assert (run.data["status"], run.data["unheard"]) == ("failed", False)


async def test_http_events_in_both_modes_start_runs_and_repeat_their_ids(system: Harness) -> None:
    binary = {
        "ce-specversion": "1.0",
        "ce-type": "joke.requested",
        "ce-source": "/shop",
        "ce-id": "http-1",
        "content-type": "application/json",
    }
    first = await system.post("/events", b'{"topic": "queues"}', binary)
    again = await system.post("/events", b'{"topic": "queues"}', binary)
    structured = {
        "specversion": "1.0",
        "type": "joke.requested",
        "source": "/shop",
        "id": "http-2",
        "data": {"topic": "topics"},
    }
    second = await system.post(
        "/events",
        json.dumps(structured).encode(),
        {"content-type": "application/cloudevents+json"},
    )

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == again.json()
    for answer in (first, second):
        key = answer.json()["event_key"]
        found = await system.eventually(lambda key=key: system.store.get(f"events/{key}"), key)
        assert len(found.data["runs"]) == 1


async def test_a_signed_webhook_becomes_an_event_and_an_unsigned_one_does_not(
    system: Harness,
) -> None:
    body = json.dumps({"type": "ping", "n": 1}).encode()
    stamp = str(int(time.time()))
    mac = hmac.new(LOCAL_HOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    headers = {"x-segue-timestamp": stamp, "x-segue-signature": f"sha256={mac.hexdigest()}"}

    signed = await system.post("/hooks/demo", body, headers)
    unsigned = await system.post("/hooks/demo", body, {})

    assert signed.status_code == 202, signed.text
    assert signed.json()["type"] == "demo.ping"
    assert unsigned.status_code == 401
    key = signed.json()["event_key"]
    stored = await system.eventually(lambda: system.store.get(f"events/{key}"), key)
    assert stored.data["runs"] == []


async def test_a_changed_prompt_serves_the_next_run(system: Harness) -> None:
    before = await system.only_run(await system.publish("test.pair", {"n": 1}))
    path = system.prompts / "templates/test/echo.md.j2"
    original = path.read_text("utf-8")
    path.write_text(original.replace("Echo", "Repeat"), "utf-8")
    after = await system.only_run(await system.publish("test.pair", {"n": 1}))
    path.write_text(original, "utf-8")

    versions = [run["steps"]["first"]["prompt"]["version"] for run in (before, after)]
    assert versions[0] != versions[1]
    assert before["flow_version"] != after["flow_version"]


async def test_a_run_in_flight_stays_on_its_version_over_a_deployment(system: Harness) -> None:
    """Files are replaced while the model thinks, and the process that knew the old ones is killed
    before it has sent the second step.
    """
    await system.fault("slow", times=1, delay="3s", prompt="test/echo")
    event_id = await system.publish("test.pair", {"n": "in flight"})
    key = system.key(event_id)
    await system.eventually(lambda: system.store.get(f"events/{key}"), "the run")
    path = system.prompts / "templates/test/last.md.j2"
    original = path.read_text("utf-8")
    path.write_text(original.replace("End", "Finish"), "utf-8")
    ticket = system.crash_at("committed")
    run = await system.only_run(event_id)
    after = await system.only_run(await system.publish("test.pair", {"n": "after"}))
    path.write_text(original, "utf-8")

    assert (run["status"], after["status"]) == ("succeeded", "succeeded")
    assert not ticket.exists()
    versions = [one["steps"]["second"]["prompt"]["version"] for one in (run, after)]
    assert versions[0] != versions[1]
    assert run["flow_version"] != after["flow_version"]
    assert run["steps"]["first"]["attempts"] == 1
    assert (await system.store.get(f"flows/{run['flow_version']}")) is not None
    code, told, _ = await system.segue("flows", "check", "--in-flight", "--json")
    assert (code, json.loads(told)["problems"]) == (0, [])


async def test_children_are_runs_of_their_own_and_of_one_story(system: Harness) -> None:
    run = await system.only_run(await system.publish("test.order", {"n": 1, "parts": [5, 6]}))

    assert run["status"] == "succeeded", run
    assert run["outputs"] == {"n": 2, "parts": [6, 7]}
    steps = run["steps"]
    assert steps["notify"]["output"] == {"run_id": steps["notify"]["child"]}
    items = {item["index"]: item["child"] for item in steps["parts"]["items"]}
    awaited = {"invoice": steps["invoice"]["child"], "parts[0]": items[0], "parts[1]": items[1]}
    for step, run_id in awaited.items():
        child = await report_of(run_id, system.deps)
        assert child["status"] == "succeeded"
        assert child["parent"] == {"run_id": run["run_id"], "step": step}
        assert child["correlation_id"] == run["correlation_id"]
    let_go = steps["notify"]["child"]
    found = await system.eventually(lambda: system.store.get(f"runs/{let_go}"), let_go)
    assert found.data["parent"] is None


async def test_a_child_that_is_refused_is_a_failure_of_its_parent(system: Harness) -> None:
    run = await system.only_run(await system.publish("test.order", {"n": -1, "parts": []}))

    assert (run["status"], run["error"]["code"]) == ("failed", "ChildFailed"), run
    assert "InputInvalid" in run["error"]["message"]


async def test_a_run_is_paused_resumed_and_cancelled_while_the_model_thinks(
    system: Harness,
) -> None:
    await system.fault("slow", times=1, delay="200s", prompt="test/echo")
    key = system.key(await system.publish("test.pair", {"n": "unwanted"}))
    event = await system.eventually(lambda: system.store.get(f"events/{key}"), "the run")
    [run_id] = event.data["runs"]
    asked = f"runs/{run_id}/steps/first"
    await system.eventually(lambda: system.store.get(asked), "its first step")
    about = ("--by", "ada", "--reason", "wrong topic", "--json")
    told = []
    for command in (("pause", run_id, *about), ("resume", run_id, "--json")):
        code, out, err = await system.segue(*command)
        assert code == 0, err
        told.append(json.loads(out))
    code, out, err = await system.segue("cancel", run_id, *about)
    again, _, refused = await system.segue("cancel", run_id)

    paused, resumed = told
    assert (paused["paused"], paused["paused_by"], resumed["paused"]) == (True, "ada", False)
    assert paused["steps"]["second"]["held"]
    assert code == 0, err
    run = json.loads(out)
    assert (run["status"], run["error"]["code"]) == ("cancelled", "RunCancelled")
    assert run["error"]["message"] == "cancelled by ada: wrong topic"
    assert {step["status"] for step in run["steps"].values()} == {"cancelled"}
    assert (again, "was cancelled already" in refused) == (1, True)
    await system.eventually(lambda: _cut_off(system, run_id), "the model to be left alone", 20)
    assert await system.letters(run_id=run_id) == []


async def _cut_off(system: Harness, run_id: str) -> str | None:
    """The log line of the attempt that was given up, long before the model would have answered."""
    lines = Path(system.state.log).read_text("utf-8").splitlines()
    ours = (line for line in lines if run_id in line and '"outcome": "cancelled"' in line)
    return next((line for line in ours if '"stage": "generate"' in line), None)


async def test_a_label_is_moved_and_rolled_back_without_a_restart(system: Harness) -> None:
    await system.fault("slow", times=1, delay="3s", prompt="test/echo")
    early = await system.publish("test.pair", {"n": "early"})
    event = await system.eventually(lambda: system.store.get(f"events/{system.key(early)}"), "it")
    bundled = read_library(system.prompts).prompts["test/last"]
    better = PromptVersion(name="test/last", head=bundled.head, body="Better {{ first.text }}")
    by = By("ada", datetime.now(UTC))
    await PromptChanges(system.store).push(better, by, label="production")

    async def served(version: str) -> bool | None:
        run = await system.only_run(await system.publish("test.pair", {"n": "later"}))
        return run["steps"]["second"]["prompt"]["version"] == version or None

    await system.eventually(lambda: served(better.version), "the label's version")
    code, out, err = await system.segue("prompts", "rollback", "test/last", "--by", "bob")
    assert (code, out.strip()) == (
        0,
        "test/last: production: version 1 → the bundled copy (rollback)",
    ), err
    await system.eventually(lambda: served(bundled.version), "the bundled copy")
    run = await report_of(event.data["runs"][0], system.deps)
    assert run["steps"]["second"]["prompt"]["version"] == bundled.version


async def test_an_agent_works_with_tools_until_it_is_done(system: Harness) -> None:
    event_id = await system.publish("provider.unavailable", PROVIDER_IS_ILL)
    run = await system.only_run(event_id)

    assert run["status"] == "succeeded", run
    assert run["outputs"]["total_affected"] == 3
    agent = run["steps"]["reassign"]
    assert agent["output"]["total_affected"] == 3
    calls = [call for turn in agent["turns"] for call in turn["calls"]]
    assert {one["status"] for one in (*agent["turns"], *calls)} == {"succeeded"}
    assert {one["attempts"] for one in (*agent["turns"], *calls)} == {1}
    assert max(len(turn["calls"]) for turn in agent["turns"]) > 1  # in parallel
    assert sum(turn["llm_calls"] for turn in agent["turns"]) == agent["llm_calls"]
    code, shown, _ = await system.segue("show", run["run_id"])
    assert (code, "reassign[turn-1.call-0]" in shown) == (0, True)
