"""`segue flows` and schedules: when each is due next, and how one is started by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.system_clock import SystemClock
from shared.cli.app import app
from shared.cli.commands import runs as commands_runs
from shared.cli.commands.flows import NoSuchFlowError, NotScheduledError
from shared.delivery.deps import Deps
from shared.runtime.settings import settings
from shared.testing.pipeline import World

SCHEDULE = "{cron: 0 9 * * 1-5, time_zone: Europe/Berlin, data: {report: daily}}"


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def _declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A flow with a schedule and one without, on a Friday evening."""
    (tmp_path / "flows").mkdir()
    for name, on in {"daily": f"{{schedule: {SCHEDULE}}}", "plain": "{event: t}"}.items():
        steps = "{a: {action: log.write, with: {message: m}}}"
        text = f"flow: {name}\non: {on}\nsteps: {steps}\n"
        (tmp_path / "flows" / f"{name}.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    friday = datetime(2026, 3, 27, 20, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _self: friday)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_schedule_is_listed_with_the_next_time_it_is_due() -> None:
    found = {one["flow"]: one for one in json.loads(segue("flows", "list", "--json").stdout)}
    assert found["daily"]["next_due"] == "2026-03-30T09:00:00+02:00"  # clocks change that Sunday
    assert found["daily"]["on"]["schedule"]["data"] == {"report": "daily"}
    assert found["plain"]["next_due"] is None
    shown = " ".join(segue("flows", "list").stdout.split())
    assert "0 9 * * 1-5" in shown
    assert "2026-03-30" in shown


def test_a_schedule_is_fired_by_hand(
    monkeypatch: pytest.MonkeyPatch, deps: Deps, world: World
) -> None:
    monkeypatch.setattr(commands_runs, "connect", lambda: deps)
    told = [json.loads(segue("flows", "fire", "daily", "--json").stdout) for _ in range(2)]
    sent = [message for _, _, message in world.messages.published]
    assert [message.data for message in sent] == [b'{"report":"daily"}'] * 2
    for message, event in zip(sent, told, strict=True):
        assert message.attributes["ce-type"] == "segue.schedule.due"
        assert message.attributes["ce-source"] == "/schedules"
        assert message.attributes["ce-subject"] == "daily"
        assert message.attributes["ce-id"] == event["event_id"]
    assert told[0]["event_id"] != told[1]["event_id"]


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("nope", NoSuchFlowError, "there is no flow 'nope'. `segue flows list`"),
        ("plain", NotScheduledError, "flow 'plain' has no schedule. Publish an event that it"),
    ],
)
def test_what_has_no_schedule_is_bad_usage(name: str, error: type[Exception], told: str) -> None:
    done = segue("flows", "fire", name)
    assert isinstance(done.exception, error)
    assert told in str(done.exception)
