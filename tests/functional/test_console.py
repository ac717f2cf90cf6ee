"""Runs go on when somebody says so over HTTP; what cannot be done is said there at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.console.handler import Request, Response, handle
from shared.domain.records import RunRecord
from shared.domain.webhooks import Callers
from tests.functional.system import System, flow

ASKED = flow(
    """
    draft: {call: test.echo, with: {value: "{{ event.data }}"}}
    approve: {needs: draft, wait: {for: approval, approvers: [ada, bob], timeout: 24h}}
    paid: {needs: approve, wait: {for: signal, name: "paid/in full"}}
    after: {needs: paid, call: test.echo, with: {value: "{{ paid.data }}"}}
    """,
    more="outputs: {by: '{{ approve.by }}', comment: '{{ approve.comment }}', paid: '{{ after }}'}",
)
CALLERS = Callers({"ada": ("t-ada",), "eve": ("t-eve",)})


async def asked(
    system: System, method: str, path: str, body: Any = None, *, by: str = "ada"
) -> Response:
    """A request about the only run, and all that follows."""
    [run_id] = system.run_ids()
    deps = replace(system.pipeline.deps("console"), callers=CALLERS)
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer t-{by}"}
    answer = await handle(Request(method, f"/api/runs/{run_id}{path}", headers, data), deps)
    await system.run()
    return answer


def refused(answer: Response) -> tuple[int, str, str]:
    error = answer.body["error"]
    return answer.status, error["code"], error["reason"]


async def test_a_run_goes_on_when_it_is_approved_and_signalled():
    system = System([ASKED])
    await system.start("hello")
    before = await asked(system, "GET", "")
    assert before.body["status"] == "waiting"
    assert before.body["steps"]["approve"]["waits_for"]["approvers"] == ["ada", "bob"]
    approved = await asked(system, "POST", "/steps/approve/approve", {"comment": "fine"})
    signalled = await asked(system, "POST", "/signals/paid/in full", {"amount": 3})
    assert (approved.status, signalled.status) == (202, 202)
    assert approved.body.keys() == {"run_id", "command_id"}
    after = await asked(system, "GET", "")
    assert after.body == await system.report()
    assert after.body["outputs"] == {"by": "ada", "comment": "fine", "paid": {"amount": 3}}


async def test_a_rejection_over_http_fails_the_step():
    system = System([ASKED])
    await system.start()
    assert (await asked(system, "POST", "/steps/approve/reject")).status == 202
    report = (await asked(system, "GET", "")).body
    assert (report["status"], report["error"]["code"]) == ("failed", "ApprovalRejected")
    read = system.world.telemetry.reports[-1]
    assert (read.outcome, read.error) == ("answered", None)  # the run's error is not the request's


async def test_what_cannot_be_done_is_said_at_once_and_changes_nothing():
    system = System([ASKED])
    await system.start()
    approve, paid = "/steps/approve/approve", "/signals/paid/in full"
    published = system.topics("events")
    assert refused(await asked(system, "POST", approve, by="eve")) == (
        409,
        "SignalRefused",
        "not-approver",
    )
    for path, body, reason in (
        ("/steps/draft/approve", None, "nobody-waits"),
        ("/steps/paid/in full/approve", None, None),
        ("/signals/approve", {"approved": "yes"}, "unfit"),
        ("/signals/payed", None, "nobody-waits"),
    ):
        answer = await asked(system, "POST", path, body)
        assert answer.status == (404 if reason is None else 409)
        assert answer.body["error"].get("reason") == reason
    assert system.topics("events") == published

    assert (await asked(system, "POST", approve)).status == 202
    assert refused(await asked(system, "POST", approve))[2] == "too-late"
    assert (await asked(system, "POST", paid)).status == 202
    assert refused(await asked(system, "POST", paid))[2] == "run-ended"


async def test_an_early_signal_is_taken_once():
    system = System([ASKED])
    await system.start()
    assert (await asked(system, "POST", "/signals/paid/in full", 1)).status == 202
    answer = await asked(system, "POST", "/signals/paid/in full", 2)
    assert refused(answer) == (409, "SignalRefused", "already")


async def test_a_step_that_waits_for_a_signal_is_not_approved():
    system = System([flow("go: {wait: {for: signal}}")])
    await system.start()
    answer = await asked(system, "POST", "/steps/go/approve")
    assert refused(answer) == (409, "SignalRefused", "no-approval")


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_run_is_stopped_by_who_asked(verb: str):
    system = System([ASKED])
    await system.start()
    answer = await asked(system, "POST", f"/{verb}", {"reason": "wrong customer"})
    assert answer.status == 202
    [run] = system.stored("runs", RunRecord)
    told = (run.paused_by, run.pause_reason) if verb == "pause" else run.error and run.error.message
    assert "ada" in str(told)
    assert "wrong customer" in str(told)


async def test_a_paused_run_goes_on_when_it_is_resumed():
    system = System([ASKED])
    await system.start("hello")
    await asked(system, "POST", "/pause")
    await asked(system, "POST", "/steps/approve/approve")
    await asked(system, "POST", "/signals/paid/in full", 1)
    assert (await asked(system, "GET", "")).body["status"] != "succeeded"
    assert (await asked(system, "POST", "/resume")).status == 202
    assert (await asked(system, "GET", "")).body["status"] == "succeeded"
