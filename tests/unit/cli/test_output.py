"""How the command line speaks: text from outside cannot style, hide or drive the terminal."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from rich.text import Text

from shared.cli.output import (
    STATUS_MARK,
    STATUS_STYLE,
    counted,
    cut,
    money,
    print_json,
    safe,
    status,
)
from shared.cli.traces import entries_of
from shared.cli.views import run_view, runs_view
from shared.cli.waterfall import waterfall
from shared.domain.chain import StepStatus
from shared.domain.records import LetterStatus, RunStatus

HOSTILE = [
    "[red]x[/]",
    "[/]",
    "[/nonsense]",
    "[link=https://evil]x[/link]",
    "\\[red]x",
    "[bold",
    "x[",
    "]]",
]
DRIVING = ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\x08\x08", "\x9b31m", "\u202egnp.exe"]


def shown(markup: str) -> str:
    console = Console(file=io.StringIO(), width=200, color_system="truecolor", highlight=False)
    with console.capture() as capture:
        console.print(markup)
    return capture.get().rstrip("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_from_outside_is_shown_and_not_obeyed(text: str) -> None:
    assert shown(safe(text)) == text
    assert shown(f"<{safe(text)}>") == f"<{text}>"


@pytest.mark.parametrize("text", [*HOSTILE, "ends with \\"])
def test_text_from_outside_cannot_break_the_style_around_it(text: str) -> None:
    assert Text.from_markup(f"[bold]{safe(text)}[/] after").plain == f"{text} after"


@pytest.mark.parametrize(
    "text", ["naïve\u00a0語 \U0001f469\u200d\U0001f4bb", "two\nlines\tand a tab"]
)
def test_any_writing_is_left_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize("text", DRIVING)
def test_text_from_outside_cannot_drive_the_terminal(text: str) -> None:
    console = Console(width=200, color_system=None)
    error = {"kind": "stage_attempt", "disposition": "ack", "error": {"code": "c", "message": text}}
    line = {"stage": text, "outcome": "o", "started_at": "2026-01-01T00:00:00Z", "duration_ms": 1}
    with console.capture() as capture:
        console.print(safe(text), run_view(report(text)), runs_view([report(text)]))
        console.print(waterfall(list(entries_of([{**line, **error}]))))
    assert set(capture.get()) - {"\n"} <= {c for c in capture.get() if c.isprintable()}


def report(text: str) -> dict:
    return {
        "run_id": text,
        "flow": text,
        "flow_version": "v",
        "status": "failed",
        "event": {"id": text, "type": text},
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:02Z",
        "outputs": {text: text, "b": [text]},
        "error": {"code": text, "message": text, "step": "a"},
        "steps": {
            "a": {
                "status": "failed",
                "attempts": 2,
                "prompt": {"name": text},
                "tokens": {"input": 3, "output": 4},
                "cost_usd": None,
            }
        },
        "totals": {"llm_calls": 1, "tokens": {"input": 3, "output": 4}, "cost_usd": 0.5},
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_a_run_of_hostile_texts_can_be_drawn(text: str) -> None:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(run_view(report(text)))
        console.print(runs_view([report(text)]))
    assert capture.get().count(text) >= 8


def test_a_run_that_waits_says_for_what() -> None:
    waits = {"key": "A-7", "before": 2, "due": "2026-01-31T12:00:00Z"}
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(run_view({**report("x"), "waits": waits}))
    told = "waiting for its turn: key A-7, 2 before it, not before 2026-01-31 12:00:00 UTC"
    assert told in capture.get()


@pytest.mark.parametrize(("size", "rows"), [(3, 3), (10, 10), (40, 2)])
def test_a_map_is_drawn_with_its_items_or_those_that_did_not_succeed(size: int, rows: int):
    console = Console(width=200, color_system=None)
    items = [
        {"index": n, "status": "failed" if n in {1, 30} else "succeeded", "attempts": 1}
        for n in range(size)
    ]
    drawn = report("text")
    summary = {"size": size, "succeeded": size - 2, "failed": 2}
    drawn["steps"]["each"] = {
        "status": "succeeded",
        "attempts": 0,
        "items": items,
        "summary": summary,
    }
    with console.capture() as capture:
        console.print(run_view(drawn))
    assert f"{size} items: {size - 2} succeeded, 2 failed" in capture.get()
    assert capture.get().count("  each[") == rows
    assert ("… 38 more" in capture.get()) is (size == 40)


def test_every_status_has_a_mark_and_a_style() -> None:
    words = {word.value for kind in (StepStatus, RunStatus, LetterStatus) for word in kind}
    assert words == set(STATUS_STYLE)
    for word in {known.value for known in StepStatus}:
        assert Text.from_markup(status(word)).plain == f"{STATUS_MARK[word]} {word}"


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unpriced"),
        (0, "$0"),
        (0.5, "$0.5"),
        (12.0, "$12"),
        (0.000123, "$0.000123"),
        (100.0, "$100"),
    ],
)
def test_money_is_short_and_unpriced_is_not_free(usd: float | None, text: str) -> None:
    assert money(usd) == text


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 model calls"), (1, "1 model call"), (2, "2 model calls")]
)
def test_one_is_not_several(number: int, told: str) -> None:
    assert counted(number, "model call") == told


@pytest.mark.parametrize(
    ("text", "told"), [("", ""), ("12345", "12345"), ("123456", "1234…"), ("123 56", "123…")]
)
def test_what_is_cut_says_so(text: str, told: str) -> None:
    assert cut(text, 5) == told


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"ü": [1, None]})
    written = capsys.readouterr().out
    assert json.loads(written) == {"ü": [1, None]}
    assert "ü" in written
