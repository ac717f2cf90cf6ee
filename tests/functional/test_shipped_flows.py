"""The flows that Segue comes with, from event to report, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.records import Tokens
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.system import System, shipped

TICKET = {
    "id": "T-17",
    "from": "ada@example.com",
    "subject": "Invoice",
    "body": "My invoice is wrong.",
}
SORTED = {"category": "billing", "urgency": "high", "summary": "Wrong invoice.", "confidence": 0.9}
REPLY = {"subject": "Your invoice", "text": "We are sorry.", "confidence": 0.8}


def support(category: str = "billing", confidence: float = 0.8) -> System:
    answers = {
        "support/classify": reply({**SORTED, "category": category}, 40, 22),
        "support/draft": reply({**REPLY, "confidence": confidence}, 90, 18),
    }
    return System(shipped(), model=ScriptedModel(answers))


def reply(said: Any, read: int, written: int) -> ModelReply:
    text = said if isinstance(said, str) else json.dumps(said)
    return ModelReply(text, Tokens(input=read, output=written), "gemini-2.5-flash-001")


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """The report without what depends on the order of deliveries."""
    steps = {
        name: {key: value for key, value in step.items() if key not in _TIMED}
        for name, step in report["steps"].items()
    }
    return {**{k: v for k, v in report.items() if k not in _TIMED}, "steps": steps}


_TIMED = {"created_at", "started_at", "finished_at", "ledger"}


def step(output: Any, **other: Any) -> dict[str, Any]:
    """A step that succeeded at once and cost nothing."""
    return {
        "status": "succeeded",
        "attempts": 1,
        "output": output,
        "error": None,
        "prompt": None,
        "model": None,
        "tokens": {"input": 0, "output": 0},
        "cost_usd": 0.0,
        "llm_calls": 0,
        **other,
    }


def asked(output: Any, name: str, version: str, tokens: tuple[int, int]) -> dict[str, Any]:
    """A prompt step that succeeded with one call."""
    return step(
        output,
        prompt={"name": name, "version": version, "variant": None},
        model="gemini-2.5-flash-001",
        tokens={"input": tokens[0], "output": tokens[1]},
        cost_usd=pytest.approx(sum(tokens) * 1e-6),
        llm_calls=1,
    )


async def test_the_joke_flow_reports_exactly_what_it_did():
    answers = {"joke/write": reply("Ha.", 9, 1), "joke/critique": reply("Meh.", 16, 1)}
    system = System(shipped(), model=ScriptedModel(answers))
    await system.start({"topic": "pirates"}, "joke.requested", ce_id="j1", correlationid="c1")
    [run_id] = system.run_ids()
    version = system.world.library.flows["joke"]
    report = await system.report()
    assert without_times(report) == {
        "run_id": run_id,
        "flow": "joke",
        "flow_version": version.version,
        "status": "succeeded",
        "paused": False,
        "correlation_id": "c1",
        "event": {"id": "j1", "type": "joke.requested"},
        "outputs": {"joke": "Ha.", "critique": "Meh."},
        "error": None,
        "redrives": 0,
        "steps": {
            "write": asked({"text": "Ha."}, "joke/write", version.prompt("write").version, (9, 1)),
            "critique": asked(
                {"text": "Meh."}, "joke/critique", version.prompt("critique").version, (16, 1)
            ),
        },
        "totals": {
            "llm_calls": 2,
            "tokens": {"input": 25, "output": 2},
            "cost_usd": pytest.approx(27e-6),
        },
    }
    assert report["created_at"] < report["finished_at"]
    assert report["steps"]["write"]["ledger"][0]["outcome"] == "succeeded"


async def test_the_joke_is_rendered_into_the_critique():
    system = System(shipped(), model=ScriptedModel({"joke/write": "Ha."}))
    await system.start({"topic": "pirates"}, "joke.requested")
    written, criticised = system.model.calls
    assert written.messages == (("user", "Write your best joke about pirates."),)
    assert written.parameters == {"temperature": 1.0, "max_output_tokens": 512}
    assert criticised.messages[0][1].endswith("following joke:\n\nHa.")


async def test_a_ticket_is_sorted_answered_sent_and_recorded():
    system = support()
    await system.start(TICKET, "support.ticket.created", ce_id="e1")
    version = system.world.library.flows["support-reply"]
    report = without_times(await system.report())
    [(key, mail)] = system.effects.performed
    assert report["status"] == "succeeded"
    assert report["outputs"] == {"category": "billing", "reply": "We are sorry."}
    assert report["totals"]["llm_calls"] == 2
    classify, draft = (version.prompt(name).version for name in ("classify", "draft"))
    steps = report["steps"]
    assert list(steps) == ["classify", "customer", "draft", "approve", "send", "record"]
    assert steps["classify"] == asked(SORTED, "support/classify", classify, (40, 22))
    assert steps["draft"] == asked(REPLY, "support/draft", draft, (90, 18))
    assert steps["customer"]["output"]["email"] == "ada@example.com"
    assert steps["send"] == step({"message_id": f"<{key}@segue>", "refused": []})
    assert steps["record"] == step({"path": "tickets/T-17"})
    assert (mail.to, mail.subject, mail.text) == (
        ["ada@example.com"],
        "Your invoice",
        "We are sorry.",
    )


async def test_a_ticket_ends_as_a_document_of_the_users_own():
    system = support()
    await system.start(TICKET, "support.ticket.created")
    [run_id] = system.run_ids()
    assert system.world.documents.documents["tickets/T-17"].data == {
        "status": "answered",
        "category": "billing",
        "urgency": "high",
        "reply": "We are sorry.",
        "run": run_id,
    }


async def test_a_doubtful_draft_is_sent_once_somebody_has_approved_it():
    system = support(confidence=0.5)
    await system.start(TICKET, "support.ticket.created")
    report = await system.report()
    assert (report["status"], system.effects.performed) == ("waiting", [])
    asked_for = report["steps"]["approve"]["waits_for"]
    assert asked_for["message"] == "Send this to ada@example.com? We are sorry."
    assert asked_for["until"].startswith("2026-01-02T00:00:")
    run = {"run": report["run_id"], "name": "approve", "data": {"approved": True}}
    await system.start(run, "segue.run.signal")
    assert (await system.report())["status"] == "succeeded"
    assert len(system.effects.performed) == 1


async def test_spam_is_not_answered_and_the_run_succeeds():
    system = support(category="spam")
    await system.start(TICKET, "support.ticket.created")
    report = await system.report()
    assert report["status"] == "succeeded"
    assert report["outputs"] == {"category": "spam", "reply": None}
    assert await system.statuses() == {
        "classify": "succeeded",
        "customer": "succeeded",
        "draft": "skipped",
        "approve": "skipped",
        "send": "skipped",
        "record": "skipped",
    }
    assert system.effects.performed == []
    assert "tickets/T-17" not in system.world.documents.documents
    assert report["totals"]["llm_calls"] == 1


async def test_a_ticket_without_a_body_starts_nothing():
    system = support()
    await system.start({**TICKET, "body": ""}, "support.ticket.created")
    assert system.run_ids() == []
    assert system.letters() == []


@pytest.mark.parametrize("broken", [{"id": "T/17"}, {"body": 5}, {"from": None}])
async def test_a_ticket_that_breaks_the_schema_is_a_failed_run_with_a_letter(broken: dict):
    system = support()
    await system.start({**TICKET, "body": "x", **broken}, "support.ticket.created")
    report = await system.report()
    assert (report["status"], report["error"]["code"]) in {
        ("failed", "InputInvalid"),
        ("failed", "Expression"),
    }
    assert system.letter().error.code == report["error"]["code"]
    assert system.model.calls == []
