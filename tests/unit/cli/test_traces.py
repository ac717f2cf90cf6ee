"""The story of a correlation id: which log lines are part of it, and how they are drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared.cli.traces import (
    Entry,
    correlations_of,
    entries_of,
    entry_of,
    in_order,
    read_entries,
    skew_ms,
    story,
)
from shared.cli.waterfall import length_of_time, waterfall

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line_of(stage: str, started: str, *, correlation: str | None = "story-1", **more: Any) -> dict:
    labels = {"correlation_id": correlation} if correlation else {}
    return {
        "kind": "stage_attempt",
        "stage": stage,
        "outcome": "succeeded",
        "disposition": "ack",
        "started_at": started,
        "duration_ms": 100.0,
        "logging.googleapis.com/labels": {**labels, **more.pop("labels", {})},
        "logging.googleapis.com/trace": f"projects/p/traces/{TRACE}",
        **more,
    }


ROUTE = line_of("route", "2026-01-01T00:00:00+00:00", labels={"event_id": "event-1"})
ACT = line_of(
    "act",
    "2026-01-01T00:00:00.300000+00:00",
    labels={"run_id": "run-1", "step": "send"},
    delivery_attempt=2,
)
OTHER = line_of(
    "act",
    "2026-01-01T00:00:00.100000+00:00",
    correlation="story-2",
    **{"logging.googleapis.com/trace": "projects/p/traces/other"},
)
UNRELATED = line_of("sweep", "2026-01-01T00:00:00+00:00", correlation=None)


def entry(line: dict) -> Entry:
    [found] = entries_of([line])
    return found


def drawn(entries: list[Entry], *, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(waterfall(entries))
    return capture.get()


@pytest.mark.parametrize("wanted", ["story-1", "run-1", "event-1", TRACE])
def test_any_id_of_a_story_tells_all_of_it_in_order(wanted: str) -> None:
    entries = list(entries_of((ACT, OTHER, UNRELATED, ROUTE)))
    assert [found.line["stage"] for found in story(entries, wanted)] == ["route", "act"]


def test_a_dead_letter_and_a_run_just_opened_are_part_of_a_story() -> None:
    bury = line_of("bury", ROUTE["started_at"], labels={"dead_letter": "letter-1"})
    opening = {**ROUTE, "details": {"runs": ["run-7"]}}
    assert len(story(entries_of([ACT, bury]), "letter-1")) == 2
    assert len(story(entries_of([ACT, opening]), "run-7")) == 2


@pytest.mark.parametrize("wanted", ["", "story", "None", "run-2"])
def test_what_no_line_mentions_has_no_story(wanted: str) -> None:
    assert story(entries_of([ROUTE, ACT, UNRELATED]), wanted) == []


@pytest.mark.parametrize(
    ("raw", "is_entry"),
    [
        (json.dumps(ROUTE).encode(), True),
        (json.dumps({"severity": "INFO", "message": "hello"}).encode(), False),
        (json.dumps(ROUTE).encode()[:-20], False),
        (b"INFO:     Started server process", False),
        (b"", False),
        (b"{}", False),
        (b"{" * 100_000, False),
        (json.dumps({**ROUTE, "kind": "log"}).encode(), False),
        (json.dumps({**ROUTE, "started_at": "yesterday"}).encode(), False),
        (json.dumps({**ROUTE, "started_at": 17}).encode(), False),
    ],
)
def test_other_output_in_a_log_is_passed_over(raw: bytes, *, is_entry: bool) -> None:
    assert (entry_of(raw) is not None) is is_entry


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "stages.jsonl"
    lines = [json.dumps(ROUTE), "starting", json.dumps(ACT), '{"stage": "cut off']
    log.write_text("\n".join(lines), "utf-8")
    assert [found.line for found in read_entries(log)] == [ROUTE, ACT]


def test_an_entry_for_machines_names_its_place_in_the_story() -> None:
    assert entry(ACT).public() == {
        "stage": "act",
        "outcome": "succeeded",
        "disposition": "ack",
        "duration_ms": 100.0,
        "started_at": "2026-01-01T00:00:00.300000+00:00",
        "error": None,
        "attempt": 2,
        "run_id": "run-1",
        "step": "send",
        "correlation_id": "story-1",
        "trace_id": TRACE,
        "span_id": None,
        "parent_span_id": None,
    }


def test_a_waterfall_shows_when_each_attempt_began_and_how_it_ended() -> None:
    route, act = drawn([entry(ROUTE), entry(ACT)]).splitlines()[1:]
    assert route.split()[:4] == ["+0", "ms", "route", "100"]
    assert act.split()[:7] == ["+300", "ms", "act", "send", "2", "100", "ms"]
    assert (route.index("█"), route.count("█")) < (act.index("█"), act.count("█") + 1)
    assert route.index("█") + route.count("█") <= act.index("█")


def test_a_waterfall_names_the_tool_and_who_speaks() -> None:
    labels = {"step": "help[turn-2.call-0]", "tool": "book", "speaker": "billing"}
    shown = drawn([entry({**ACT, "logging.googleapis.com/labels": labels})], width=200)
    assert "help[turn-2.call-0] book as billing" in shown


@pytest.mark.parametrize("duration", [0.0, 100.0])
def test_a_single_instant_can_be_drawn(duration: float) -> None:
    assert "█" in drawn([entry({**ROUTE, "duration_ms": duration})])


def test_a_model_call_is_told_with_tokens_and_cost() -> None:
    spent = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "cost_usd": 0.25,
    }
    assert "15 tokens $0.25" in drawn([entry({**ROUTE, **spent})])


def test_markup_in_an_error_is_shown_and_not_obeyed() -> None:
    error = {"code": "ActionFailed", "message": "[red]no[/] [/nonsense]"}
    shown = drawn([entry({**ROUTE, "stage": "[bold]x[/]", "error": error})], width=200)
    assert "ActionFailed: [red]no[/] [/nonsense]" in shown
    assert "[bold]x[/]" in shown


def test_all_correlation_ids_of_an_event_are_told() -> None:
    again = {**OTHER, "logging.googleapis.com/labels": {"correlation_id": "b", "event_id": "e"}}
    mine = line_of("route", ROUTE["started_at"], labels={"event_id": "e"})
    found = story(entries_of([again, mine]), "e")
    assert correlations_of(found) == ["story-1", "b"]


def test_a_long_story_is_drawn_row_by_row_within_its_columns() -> None:
    lines = [
        line_of("act", f"2026-01-01T{hour:02}:{minute:02}:00+00:00", duration_ms=61_000)
        for hour in range(20)
        for minute in range(0, 60, 2)
    ]
    rows = drawn(in_order(entries_of(lines)), width=100).splitlines()[1:]
    assert len(rows) == 600
    assert {len(row.rstrip()) <= 100 for row in rows} == {True}
    assert all("█" in row and "succeeded" in row for row in rows)
    assert rows[-1].split()[:5] == ["+19", "h", "58", "min", "act"]


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (0, "0 ms"),
        (9_999.4, "9999 ms"),
        (12_340, "12.3 s"),
        (99_499, "99.5 s"),
        (99_999, "1 min 40 s"),
        (307_000, "5 min 07 s"),
        (7_500_000, "2 h 05 min"),
    ],
)
def test_times_are_told_as_one_reads_them(ms: float, told: str) -> None:
    assert length_of_time(ms) == told


def test_clocks_that_differ_do_not_spoil_the_picture_and_are_told() -> None:
    """The clock of `act` is slow: its attempt began after the one that sent its message."""
    span = "logging.googleapis.com/spanId"
    sender = {**ACT, span: "a" * 16, "stage": "generate"}
    sent = {**ROUTE, span: "b" * 16, "parent_span_id": "a" * 16, "duration_ms": -5.0}
    entries = list(entries_of([sender, sent]))
    assert skew_ms(entries) == 300.0
    assert skew_ms([entry(ROUTE), entry(ACT)]) == 0.0
    for order in (entries, entries[::-1]):
        rows = sorted(line.split()[0] for line in drawn(order).splitlines()[1:])
        assert rows == ["+0", "+300"]


def test_the_reason_is_cut_with_an_ellipsis() -> None:
    error = {"code": "c", "message": "m" * 200}
    assert f"c: {'m' * 96}…" in drawn([entry({**ROUTE, "error": error})], width=300)
    short = {"code": "c", "message": "m" * 97}
    assert f"c: {'m' * 97}" in drawn([entry({**ROUTE, "error": short})], width=300)


@pytest.mark.parametrize("strange", [float("nan"), float("inf"), 10**400, "soon", None, [], {}])
def test_a_strange_number_counts_for_nothing(strange: object) -> None:
    names = ("duration_ms", "cost_usd", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    found = entry({**ROUTE, **dict.fromkeys(names, strange)})
    assert (found.duration_ms, found.tokens, found.cost_usd or 0.0) == (0.0, 0.0, 0.0)
    assert "0 ms" in drawn([found])


@pytest.mark.parametrize("strange", ["x", 7, ["c"], {"run_id": ["story-1"], "step": {}}, None])
def test_strange_labels_and_details_belong_to_no_story(strange: object) -> None:
    line = {**ROUTE, "logging.googleapis.com/labels": strange, "details": {"runs": strange}}
    assert story(entries_of([line, ACT]), "story-1") == [entry(ACT)]
    assert "route" in drawn([entry({**line, "error": strange, "stage": "route"})])
