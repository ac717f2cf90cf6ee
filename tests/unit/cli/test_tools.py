"""`segue tools`: what there is, the files it is declared in, and a call by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.cli.app import app
from shared.errors import ToolArgumentsError
from shared.prompting.library import read_library
from shared.runtime.settings import ROOT, settings


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tools", *arguments])


@pytest.fixture(autouse=True)
def prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A copy of the shipped prompts."""
    folder = tmp_path / "prompts"
    copytree(ROOT / "prompts", folder)
    monkeypatch.setenv("SEGUE_PROMPTS", str(folder))
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def test_the_shipped_files_are_what_the_functions_say() -> None:
    assert segue("compile", "--check").exit_code == 0
    assert json.loads(segue("compile", "--json").stdout) == []


def test_an_edited_a_missing_and_a_left_over_file_are_found_and_put_right(prompts: Path) -> None:
    folder = prompts / "tools"
    edited, missing = folder / "get_patient_details.json", folder / "add_to_waitlist.json"
    edited.write_text(edited.read_text("utf-8").replace("What is known", "All"), "utf-8")
    missing.rename(folder / "gone.json")
    (folder / "gone.json").write_text(
        (folder / "gone.json").read_text("utf-8").replace('"add_to_waitlist"', '"gone"'), "utf-8"
    )
    checked = segue("compile", "--check")
    assert checked.exit_code == 1
    for said in ("is missing", "not what the function", "not there any more"):
        assert said in checked.stdout
    assert len(json.loads(segue("compile", "--json").stdout)) == 3
    assert segue("compile", "--check").exit_code == 0


def test_what_was_imported_from_a_server_is_left_alone(prompts: Path) -> None:
    foreign = prompts / "tools" / "foreign.json"
    tool = {"name": "foreign", "description": "x", "parameters": {}, "source": "mcp:there"}
    foreign.write_text(json.dumps(tool), "utf-8")
    assert json.loads(segue("compile", "--json").stdout) == []
    assert "foreign" in segue("list").stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "tools/bad.json:1:"),
        ('{"name": "other", "description": "x", "parameters": {}}', "name the file after it"),
        ('{"name": "bad", "description": "x"}', "parameters"),
        ('{"name": "bad", "description": "x", "parameters": {}, "effect": "odd"}', "effect"),
    ],
)
def test_a_file_that_is_no_tool_is_named_and_the_others_are_read(
    prompts: Path, text: str, problem: str
) -> None:
    (prompts / "tools" / "bad.json").write_text(text, "utf-8")
    read = read_library(prompts)
    assert any(problem in str(each) for each in read.problems), read.problems
    assert "get_patient_details" in read.tools


def test_tools_are_listed_and_shown_with_their_effects() -> None:
    listed = {each["name"]: each for each in json.loads(segue("list", "--json").stdout)}
    assert listed["assign_appointment"]["effect"] == "keyed"
    assert json.loads(segue("show", "get_patient_details", "--json").stdout)["effect"] == "pure"
    assert "patient_id" in segue("show", "get_patient_details").stdout


def test_a_tool_is_called_by_hand() -> None:
    called = segue("call", "add_to_waitlist", "--args", '{"appointment_id": "A003", "reason": "x"}')
    assert json.loads(called.stdout) == {
        "success": True,
        "appointment_id": "A003",
        "reason": "x",
    }
    assert isinstance(segue("call", "add_to_waitlist").exception, ToolArgumentsError)


@pytest.mark.parametrize("args", ["{", "[]"])
def test_arguments_that_are_no_object_are_an_error_of_usage(args: str) -> None:
    assert segue("call", "get_patient_details", "--args", args).exit_code == 2


def test_a_tool_that_is_not_there_is_named() -> None:
    assert "there is no tool 'nothing'" in str(segue("show", "nothing").exception)


def test_built_in_tools_are_listed_and_need_a_run() -> None:
    assert "blackboard_write" in {
        tool["name"] for tool in json.loads(segue("list", "--json").stdout)
    }
    called = segue("call", "blackboard_read")
    assert "works on the blackboard of a run" in str(called.exception)
