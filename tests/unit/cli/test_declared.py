"""`flows` and `prompts` on the command line: what is said where there is little or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import shared.cli.registry
from shared.cli.app import app
from shared.cli.commands.check import NothingDeclaredError
from shared.cli.registry import NoSuchPromptError
from shared.client.connection import NothingRunningError
from shared.delivery.deps import Deps
from shared.runtime.settings import settings


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine is no business of these tests."""

    def connect() -> Deps:
        raise NothingRunningError("nothing runs here")

    monkeypatch.setattr(shared.cli.registry, "connect", connect)


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of flows and prompts."""
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_an_empty_folder_is_not_called_sound(prompts: Path) -> None:
    done = segue("flows", "check")
    assert isinstance(done.exception, NothingDeclaredError)
    assert f"nothing to check in {prompts}" in str(done.exception)


def test_a_mistyped_folder_is_not_called_sound(
    prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_PROMPTS", str(prompts / "prompt"))
    settings.cache_clear()
    assert isinstance(segue("flows", "check", "--json").exception, NothingDeclaredError)


def test_one_of_a_kind_is_counted_as_one(prompts: Path) -> None:
    (prompts / "templates").mkdir()
    text = "---\ndescription: Greets.\nmodel: gemini-2.5-flash\n---\nHello.\n"
    (prompts / "templates" / "greet.md.j2").write_text(text, "utf-8")
    (prompts / "templates" / "bad.md.j2").write_text("{{", "utf-8")
    done = segue("flows", "check", "--no-in-flight")
    assert done.exit_code == 1
    assert "1 problem in what was read; sound: 0 flows, 1 prompt" in done.stdout


def test_a_prompt_that_is_not_there_names_its_own_list() -> None:
    done = segue("prompts", "show", "nope")
    assert isinstance(done.exception, NoSuchPromptError)
    assert "`segue prompts list`" in str(done.exception)
    assert "dead-letters" not in str(done.exception)


@pytest.mark.parametrize("group", ["flows", "prompts"])
def test_a_bare_group_lists_as_json_too(group: str) -> None:
    bare, spelled = segue(group, "--json"), segue(group, "list", "--json")
    assert json.loads(bare.stdout) == json.loads(spelled.stdout) != []


@pytest.mark.parametrize("group", ["flows", "prompts", "dead-letters"])
def test_json_before_a_subcommand_is_not_just_ignored(group: str) -> None:
    done = segue(group, "--json", "list")
    assert done.exit_code == 2
    assert "--json goes behind list" in done.stderr
