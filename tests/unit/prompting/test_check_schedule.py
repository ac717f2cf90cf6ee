"""Whether a schedule makes sense: every complaint with its line and what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.prompting.library import read_flow
from shared.prompting.source import SourceProblems
from shared.runtime.settings import ROOT

SOUND = """\
flow: nightly
on:
  schedule:
    cron: 0 9 * * 1-5
    time_zone: Europe/Berlin
    data:
      report: daily
      ids: [1, -20, 1.5, true, null]
  where: event.data.report == 'daily'
input: {type: object, required: [report]}
steps:
  go: {action: log.write, with: {message: "{{ event.subject }}"}}
"""


def problems_of(text: str) -> list[tuple[int, str]]:
    try:
        read_flow(text, "flows/nightly.yaml", {})
    except SourceProblems as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []


def test_a_sound_schedule_has_no_problems() -> None:
    assert problems_of(SOUND) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("0 9 * * 1-5", "0 9 * * 1-8", 4, "day of the week '8': takes 0-7"),
        ("0 9 * * 1-5", "0 0 30 2 *", 4, "it is never due"),
        ("0 9 * * 1-5", "every 5 minutes", 4, "five fields"),
        ("Europe/Berlin", "Europe/Belrin", 5, "did you mean 'Europe/Berlin'?"),
        ("report: daily", "rapport: daily", 6, "does not fit `input`: at $: "),
        ("report: daily", "report: 2026-01-01", 7, "YAML readers disagree on 2026-01-01; quote"),
        ("report: daily", "report: yes", 7, "disagree on yes"),
        ("report: daily", "report: daily\n      n: 1", 8, "disagree on n"),
        ("-20", "0777", 8, "disagree on 0777"),
        ("-20", "1_000", 8, "disagree on 1_000"),
        ("-20", "1:30", 8, "disagree on 1:30"),
        ("-20", "1e3", 8, "disagree on 1e3"),
        ("-20", "2.0", 8, "disagree on 2.0"),
        ("-20", "True", 8, "disagree on True"),
        ("time_zone: E", "timezone: E", 5, "on.schedule.timezone: unknown key"),
        ("cron:", "crn:", 4, "on.schedule.crn: unknown key"),
        ("  schedule:", "  scedule:", 2, "on: a flow is started by exactly one of: event, sched"),
        ("event.data.report ==", "evnt ==", 9, "'evnt' is undefined"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(
    before: str, after: str, line: int, message: str
) -> None:
    assert SOUND.count(before) == 1
    found = problems_of(SOUND.replace(before, after))
    assert any(at == line and message in told for at, told in found), found


@pytest.mark.parametrize("text", ["'2026-01-01'", '"yes"', '"0777"', "|-\n        1:30", "daily"])
def test_what_is_in_quotes_or_plainly_text_is_taken(text: str) -> None:
    assert problems_of(SOUND.replace("report: daily", f"report: {text}")) == []


@pytest.mark.parametrize(
    ("subject", "told"), [("nightly", True), ("other", False), ("{{ event.id }}", False)]
)
def test_a_schedule_that_starts_itself_is_found(subject: str, *, told: bool) -> None:
    publish = (
        "  again:\n    action: event.publish\n"
        f'    with: {{type: segue.schedule.due, data: {{}}, subject: "{subject}"}}\n'
    )
    found = problems_of(SOUND + publish)
    assert any("starts this flow again" in message for _, message in found) is told


_LOADS = """
import sys
from shared.prompting.library import read_flow
read_flow(sys.argv[1], "f.yaml", {})
print("cronsim" in sys.modules)
"""


@pytest.mark.parametrize(
    ("text", "loaded"),
    [(SOUND, "True"), ("flow: f\non: {event: t}\nsteps: {a: {call: x}}\n", "False")],
)
def test_cron_is_loaded_only_where_a_flow_has_a_schedule(text: str, loaded: str) -> None:
    command = [sys.executable, "-c", _LOADS, text]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
