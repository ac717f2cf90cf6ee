"""The story of a correlation id: which log lines are part of it, and how they are drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared.cli.traces import Entry, entry_of, read_entries, story, waterfall

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line_of(stage: str, started: str, *, correlation: str | None = "story-1", **more: Any) -> dict:
    labels = {"correlation_id": correlation} if correlation else {}
    return {
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


def drawn(entries: list[Entry], *, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(waterfall(entries))
    return capture.get()


@pytest.mark.parametrize("wanted", ["story-1", "run-1", "event-1", TRACE])
def test_any_id_of_a_story_tells_all_of_it_in_order(wanted: str) -> None:
    entries = [Entry(line) for line in (ACT, OTHER, UNRELATED, ROUTE)]
    assert [entry.line["stage"] for entry in story(iter(entries), wanted)] == ["route", "act"]


@pytest.mark.parametrize("wanted", ["", "story", "None", "run-2"])
def test_what_no_line_mentions_has_no_story(wanted: str) -> None:
    assert story(iter([Entry(ROUTE), Entry(ACT), Entry(UNRELATED)]), wanted) == []


@pytest.mark.parametrize(
    ("raw", "is_entry"),
    [
        (json.dumps(ROUTE).encode(), True),
        (json.dumps({"severity": "INFO", "message": "hello"}).encode(), False),
        (json.dumps(ROUTE).encode()[:-20], False),
        (b"INFO:     Started server process", False),
        (b"", False),
        (b"{}", False),
    ],
)
def test_other_output_in_a_log_is_passed_over(raw: bytes, *, is_entry: bool) -> None:
    assert (entry_of(raw) is not None) is is_entry


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "stages.jsonl"
    lines = [json.dumps(ROUTE), "starting", json.dumps(ACT), '{"stage": "cut off']
    log.write_text("\n".join(lines), "utf-8")
    assert [entry.line for entry in read_entries(log)] == [ROUTE, ACT]


def test_an_entry_for_machines_names_its_place_in_the_story() -> None:
    assert Entry(ACT).public() == {
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
    route, act = drawn([Entry(ROUTE), Entry(ACT)]).splitlines()[1:]
    assert route.split()[:4] == ["+0", "ms", "route", "100"]
    assert act.split()[:7] == ["+300", "ms", "act", "send", "2", "100", "ms"]
    assert (route.index("█"), route.count("█")) < (act.index("█"), act.count("█") + 1)
    assert route.index("█") + route.count("█") <= act.index("█")


@pytest.mark.parametrize("duration", [0.0, 100.0])
def test_a_single_instant_can_be_drawn(duration: float) -> None:
    assert "█" in drawn([Entry({**ROUTE, "duration_ms": duration})])


def test_a_model_call_is_told_with_tokens_and_cost() -> None:
    spent = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "cost_usd": 0.25,
    }
    assert "15 tokens $0.25" in drawn([Entry({**ROUTE, **spent})])


def test_markup_in_an_error_is_shown_and_not_obeyed() -> None:
    error = {"code": "ActionFailed", "message": "[red]no[/] [/nonsense]"}
    shown = drawn([Entry({**ROUTE, "stage": "[bold]x[/]", "error": error})], width=200)
    assert "ActionFailed: [red]no[/] [/nonsense]" in shown
    assert "[bold]x[/]" in shown
