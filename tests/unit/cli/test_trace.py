"""`segue trace` where there is no log, and options that do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.cli.app import app
from shared.cli.commands.trace import LogElsewhereError, NoLogError
from shared.errors import NotFoundError


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a local system would keep its log."""
    monkeypatch.setattr("shared.cli.commands.trace.STATE_DIR", tmp_path)
    return tmp_path


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("project", ["", "segue-local"])
@pytest.mark.usefixtures("folder")
def test_without_a_log_a_local_system_is_to_be_started(
    monkeypatch: pytest.MonkeyPatch, project: str
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", project)
    done = segue("trace", "x")
    assert isinstance(done.exception, NoLogError)
    assert "`segue up`" in str(done.exception)


@pytest.mark.usefixtures("folder")
def test_with_a_project_and_no_log_the_cloud_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    done = segue("trace", "x")
    assert isinstance(done.exception, LogElsewhereError)
    assert "'my-project'" in str(done.exception)
    assert "--cloud" in str(done.exception)


def test_what_no_line_mentions_is_told(folder: Path) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "stages.jsonl").write_text('{"severity": "INFO"}\nplain\n', "utf-8")
    assert isinstance(segue("trace", "x").exception, NotFoundError)


@pytest.mark.parametrize("option", ["--since=1h", "--project=p", "--limit=5"])
def test_options_of_the_cloud_are_not_just_ignored(option: str) -> None:
    done = segue("trace", "x", option)
    assert done.exit_code == 2
    assert "is for --cloud" in done.stderr


@pytest.mark.parametrize(
    "option", ["--since=yesterday", "--since=99999999999d", "--since=-1h", "--limit=0"]
)
def test_options_that_make_no_sense_are_bad_usage(option: str) -> None:
    assert segue("trace", "x", "--cloud", option).exit_code == 2
