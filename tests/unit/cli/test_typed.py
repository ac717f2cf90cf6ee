"""`segue flows compile` and what `segue flows check` says of typed flows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.cli.app import app
from shared.cli.commands import compiling as commands_compile
from shared.prompting.source import Problem
from shared.runtime.settings import ROOT, settings
from shared.typed import FlowInvalidError


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(autouse=True)
def prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A copy of the shipped prompts."""
    folder = tmp_path / "prompts"
    copytree(ROOT / "prompts", folder)
    monkeypatch.setenv("SEGUE_PROMPTS", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def test_an_edited_flow_file_is_found_and_compiled_again(prompts: Path) -> None:
    path = prompts / "flows" / "joke-typed.yaml"
    written = path.read_text("utf-8")
    path.write_text(written.replace("criticised", "praised"), "utf-8")
    [problem] = json.loads(segue("flows", "check", "--no-in-flight", "--json").stdout)
    assert problem["file"] == "prompts/flows/joke-typed.yaml"
    assert "is not what JokeFlow in functions/act/flows/joke.py says" in problem["message"]
    compiled = segue("flows", "compile", "--json")
    assert path.as_posix() in json.loads(compiled.stdout)
    assert path.read_text("utf-8") == written
    assert "joke-typed.yaml" not in segue("flows", "compile").stdout
    assert segue("flows", "check", "--no-in-flight").exit_code in {0, 1}
    assert "joke-typed" not in segue("flows", "check", "--no-in-flight").stderr


def test_a_class_that_makes_no_sense_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def library() -> None:
        raise FlowInvalidError("JokeFlow", [Problem("functions/act/flows/joke.py", 7, "it loops")])

    monkeypatch.setattr(commands_compile, "library", library)
    checked = segue("flows", "check", "--no-in-flight")
    assert checked.exit_code == 1
    assert "functions/act/flows/joke.py:7: it loops" in checked.stderr
