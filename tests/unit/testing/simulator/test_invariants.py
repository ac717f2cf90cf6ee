"""Each guarantee has its name, and what breaks it is noticed at once; what keeps it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.delivery.scope import BLOB, MESSAGE_ID
from shared.domain.envelope import Message, ModelRequest
from shared.domain.events import REDRIVE
from shared.ports import StageReport
from shared.testing.simulator.endings import Expected, check_endings
from shared.testing.simulator.engine import Change
from shared.testing.simulator.guarantees import GUARANTEES
from shared.testing.simulator.instance import Instance, Work
from shared.testing.simulator.invariants import Watch
from tests.functional.system import SAY, flow

VERSION = flow(
    """
    a: {prompt: say, with: {text: hi}}
    b: {call: test.echo}
    c: {needs: [a, b], prompt: say, with: {text: x}}
    """
)
RUN: dict[str, Any] = {
    "flow": "thing",
    "flow_version": VERSION.version,
    "event_key": "e1",
    "correlation_id": "s1",
    "status": "running",
    "redrives": 0,
    "outputs": None,
    "error": None,
}
STEP: dict[str, Any] = {"status": "running", "output": None}
DONE = {**STEP, "status": "succeeded", "output": '"x"'}
ENDED = {**RUN, "status": "succeeded"}
FAILED = {**RUN, "status": "failed"}
LETTER: dict[str, Any] = {
    "data": b"x",
    "step": "a",
    "status": "redriven",
    "stage": "act",
    "run_id": "r1",
    "redrives": 0,
    "attributes": "{}",
    "blob": None,
    "error": {"code": "ActionFailed", "message": "no"},
}


@pytest.fixture
def watch() -> Watch:
    return Watch({VERSION.version: VERSION})


def see(watch: Watch, *changes: tuple[str, Any]) -> list[str]:
    """Lets documents change one after another; returns the names of what that breaks."""
    for path, after in changes:
        watch.changed(Change(path, watch.documents.get(path), after))
    names = [violation.invariant for violation in watch.violations]
    assert set(names) <= set(GUARANTEES)
    return names


BROKEN: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "an event is deleted": ("event-stored", [("events/e1", {"type": "t"}), ("events/e1", None)]),
    "an event is changed": (
        "event-stored",
        [("events/e1", {"type": "t"}), ("events/e1", {"type": "u"})],
    ),
    "a second run": ("one-run", [("runs/r1", RUN), ("runs/r2", RUN)]),
    "a result twice": (
        "result-once",
        [("runs/r1", RUN), ("runs/r1/steps/a", DONE), ("runs/r1/steps/a", {**DONE, "output": "1"})],
    ),
    "a result undone": (
        "result-once",
        [("runs/r1", RUN), ("runs/r1/steps/a", DONE), ("runs/r1/steps/a", STEP)],
    ),
    "a step deleted": (
        "result-once",
        [("runs/r1", RUN), ("runs/r1/steps/a", STEP), ("runs/r1/steps/a", None)],
    ),
    "a join too full": (
        "join-once",
        [("runs/r1", RUN), ("runs/r1/joins/c", {"arrived": 3, "succeeded": 2})],
    ),
    "a join of no run": ("join-once", [("runs/r1/joins/c", {"arrived": 1, "succeeded": 1})]),
    "an end undone": ("terminal-run", [("runs/r1", ENDED), ("runs/r1", RUN)]),
    "an end after the end": ("terminal-run", [("runs/r1", FAILED), ("runs/r1", ENDED)]),
    "a run deleted": ("terminal-run", [("runs/r1", RUN), ("runs/r1", None)]),
    "a run moved": ("pinned", [("runs/r1", RUN), ("runs/r1", {**RUN, "flow_version": "new"})]),
}


@pytest.mark.parametrize(("name", "changes"), BROKEN.values(), ids=BROKEN)
def test_a_change_that_must_not_happen_is_noticed(
    watch: Watch, name: str, changes: list[tuple[str, Any]]
) -> None:
    assert see(watch, *changes[:-1]) == []
    assert see(watch, changes[-1])[0] == name


def test_a_run_may_be_redriven_and_its_failed_step_begin_anew(watch: Watch) -> None:
    failed = {**STEP, "status": "failed"}
    assert not see(
        watch,
        ("runs/r1", RUN),
        ("runs/r1/steps/a", failed),
        ("runs/r1", FAILED),
        ("runs/r1", {**RUN, "redrives": 1}),
        ("runs/r1/steps/a", {**STEP, "status": "pending"}),
        ("runs/r1/steps/a", STEP),
        ("runs/r1/steps/a", DONE),
        ("events/e1", {"type": "t", "runs": ["r1"]}),
        ("events/e1", {"type": "t", "runs": ["r1", "r2"]}),
        ("notes/n1", {}),
    )


def test_a_start_and_an_end_are_told_no_more_often_than_they_happen(watch: Watch) -> None:
    see(watch, ("runs/r1", RUN), ("runs/r1", FAILED), ("runs/r1", {**RUN, "redrives": 1}))
    watch.logged("run_started", "r1")
    watch.logged("run_ended", "r1")
    see(watch, ("runs/r1", {**ENDED, "redrives": 1}))
    watch.logged("run_ended", "r1")
    assert not watch.violations
    for kind in ("run_started", "run_ended"):
        watch.logged(kind, "r1")
    assert see(watch) == ["told-once", "told-once"]


def test_a_step_must_not_be_sent_before_all_it_needs_has_ended(watch: Watch) -> None:
    message = Message(b"", {"segue-run": "r1", "segue-step": "c"})
    watch.published("compose", message, "1")
    see(watch, ("runs/r1", RUN), ("runs/r1/steps/a", DONE), ("runs/r1/steps/b", STEP))
    watch.published("compose", message, "2")
    assert see(watch, ("runs/r1/steps/b", DONE)) == ["join-once", "join-once"]
    watch.published("compose", message, "3")
    assert len(watch.violations) == 2


def test_a_prompt_must_be_the_one_its_run_is_pinned_to(watch: Watch) -> None:
    labels = {"segue-run": "r1", "segue-step": "a", "segue-prompt-version": SAY.version}
    asked = ModelRequest(model="m", messages=(), labels=labels)
    see(watch, ("runs/r1", RUN))
    watch.asks(asked)
    assert watch.violations == []
    watch.asks(asked.model_copy(update={"labels": {**labels, "segue-prompt-version": "other"}}))
    assert [violation.invariant for violation in watch.violations] == ["pinned"]


def report(disposition: str) -> StageReport:
    return StageReport(
        stage="generate",
        disposition=disposition,
        outcome="failed",
        trace_id="t",
        span_id="s",
        parent_span_id=None,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ms=0.0,
        labels={},
        message_id="1",
        attempt=1,
    )


def work(message_id: str = "1", **about: Any) -> Work:
    attributes = {"segue-run": "r1", "segue-step": "a"}
    given = {"subscription": "segue-generate", "attributes": attributes, **about}
    return Work(Instance("i#1"), message_id=message_id, data=b"x", attempt=1, **given)


def test_an_event_must_not_be_acknowledged_before_it_is_stored(watch: Watch) -> None:
    for number in ("1", "2", "3", "4"):
        watch.published("events", Message(b"", {"ce-id": f"e{number}"}), number)
    see(watch, ("events/e1", {"type": "t"}))
    watch.published("route-dead", Message(b"", {MESSAGE_ID: "2"}), "9")
    watch.answered(work("1"), 204)
    watch.answered(work("2"), 204)
    watch.answered(work("3"), 503)
    assert watch.violations == []
    watch.answered(work("4"), 204)
    assert [violation.invariant for violation in watch.violations] == ["event-stored"]


def test_a_message_that_is_given_up_must_be_sent_as_a_letter_first(watch: Watch) -> None:
    told = report("bury")
    watch.published("generate-dead", Message(b"x", {MESSAGE_ID: "1"}), "9")
    watch.answered(work("1", told=told), 204)
    watch.answered(work("2", told=told), 503)
    assert watch.violations == []
    watch.answered(work("2", told=told), 204)
    assert [violation.invariant for violation in watch.violations] == ["dead-letters"]


@pytest.mark.parametrize(
    ("attributes", "broken"),
    [({"segue-id": "m1"}, 0), ({"segue-id": "m1", REDRIVE: "1"}, 1), ({}, 1), ({BLOB: "b"}, 0)],
)
def test_a_letter_must_be_stored_before_it_is_acknowledged(
    watch: Watch, attributes: dict[str, str], broken: int
) -> None:
    watch.published("act", Message(b"x"), "1")
    see(watch, ("dead_letters/l1", {**LETTER, "attributes": '{"segue-id": "m1"}'}))
    watch.answered(work(subscription="segue-act-dead", attributes=attributes), 204)
    assert len(watch.violations) == broken


def test_a_message_of_a_step_has_one_letter_each_time_it_is_redriven(watch: Watch) -> None:
    watch.published("act", Message(b"x"), "1")
    again = {**LETTER, "redrives": 1}
    assert see(watch, ("dead_letters/l1", LETTER), ("dead_letters/l2", again)) == []
    assert see(watch, ("dead_letters/l3", again)) == ["dead-letters"]
    assert see(watch, ("dead_letters/l3", None)) == ["dead-letters"] * 2


def broken_at_the_end(watch: Watch, *works: Work, **expected: Any) -> list[str]:
    given = {"endings": None, "garbage": (), "letters": frozenset(), **expected}
    check_endings(watch, works, Expected(**given))
    return [violation.invariant for violation in watch.violations]


def test_an_event_that_was_lost_is_missed_at_the_end(watch: Watch) -> None:
    watch.published("events", Message(b"", {"ce-id": "e1"}), "1")
    assert broken_at_the_end(watch) == ["event-stored"]


ENDING = {
    "correlation": "s1",
    "status": "succeeded",
    "outputs": "1",
    "error": None,
    "steps": dict.fromkeys("abc", ("succeeded", '"x"')),
}
ALL_DONE = [(f"runs/r1/steps/{name}", DONE) for name in "abc"]


@pytest.mark.parametrize(
    ("found", "exact", "broken"),
    [
        ({}, True, []),
        ({"status": "failed"}, True, ["same-ending"]),
        ({"outputs": "2"}, True, ["same-ending"]),
        ({"outputs": "2"}, False, []),
        ({"correlation_id": "s2"}, True, ["same-ending"]),
    ],
)
def test_runs_must_end_as_they_do_undisturbed(
    watch: Watch, found: dict[str, Any], broken: list[str], *, exact: bool
) -> None:
    event = {"correlation_id": "s1"}
    see(watch, ("events/e1", event), ("runs/r1", {**ENDED, "outputs": "1", **found}))
    see(watch, *ALL_DONE)
    assert broken_at_the_end(watch, endings={"r1": ENDING}, exact=exact) == broken


def test_a_missing_run_is_missed_only_where_its_event_was_published(watch: Watch) -> None:
    assert broken_at_the_end(watch, endings={"r1": ENDING}) == []
    see(watch, ("events/e1", {"correlation_id": "s1"}))
    assert broken_at_the_end(watch, endings={"r1": ENDING}) == ["same-ending"]


def test_a_join_of_a_run_that_succeeded_must_be_full(watch: Watch) -> None:
    join = {"arrived": 1, "succeeded": 1}
    see(watch, ("runs/r1", RUN), *ALL_DONE, ("runs/r1/joins/c", join), ("runs/r1", ENDED))
    assert broken_at_the_end(watch) == ["join-once"]


@pytest.mark.parametrize(
    ("letter", "broken"),
    [
        (LETTER, []),
        ({**LETTER, "status": "open"}, ["dead-letters"]),
        ({**LETTER, "error": {"code": "Unheard", "message": "no"}}, ["dead-letters"]),
        ({**LETTER, "error": {"code": "ActionFailed", "message": ""}}, ["dead-letters"]),
        ({**LETTER, "data": b""}, ["dead-letters"]),
        ({**LETTER, "data": None}, ["dead-letters"]),
        ({**LETTER, "stage": "route"}, ["dead-letters"]),
        ({**LETTER, "data": None, "blob": {}}, []),
    ],
)
def test_letters_must_have_a_reason_and_the_bytes_and_be_redriven(
    watch: Watch, letter: dict[str, Any], broken: list[str]
) -> None:
    watch.published("act", Message(b"x"), "1")
    see(watch, ("dead_letters/l1", letter))
    assert broken_at_the_end(watch, letters=frozenset({"ActionFailed"})) == broken


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_garbage_must_be_kept_exactly_once(watch: Watch, copies: int) -> None:
    error = {"code": "MessageInvalid", "message": "no"}
    kept = {**LETTER, "status": "open", "step": None, "error": error}
    watch.published("act", Message(b"x"), "1")
    see(watch, *((f"dead_letters/l{n}", kept) for n in range(copies)))
    assert broken_at_the_end(watch, garbage=(b"x",)) == ["dead-letters"] * (copies != 1)


@pytest.mark.parametrize(
    ("about", "allowed"),
    [  # one without a report has died
        ({"given_up": True, "asked": True}, 2),
        ({"asked": True, "excuses": 2}, 4),
        ({"asked": True}, 2),
        ({}, 1),
    ],
)
def test_a_model_may_be_asked_again_for_what_was_cut_down(
    watch: Watch, about: dict[str, Any], allowed: int
) -> None:
    watch.calls.models = [("r1", "a")] * allowed
    assert broken_at_the_end(watch, work(**about)) == []
    watch.calls.models.append(("r1", "a"))
    assert broken_at_the_end(watch, work(**about)) == ["model-calls"]
