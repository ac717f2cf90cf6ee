"""`segue prompts push|label|rollback|list|show|diff` over a registry in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import shared.cli.commands.cases
import shared.cli.registry
from shared.cli.app import app
from shared.cli.commands.cases import NoCasesError
from shared.cli.commands.labels import NothingToPushError, PromptFileError, VersionInvalidError
from shared.cli.registry import NoSuchPromptError, NoSuchVersionError, UnfitPromptError
from shared.client.connection import NothingRunningError
from shared.delivery.deps import Deps
from shared.prompting.pushing import RegistryRefusedError
from shared.runtime.settings import ROOT, settings
from shared.testing.memory import ScriptedModel

CLASSIFY = "templates/support/classify.md.j2"


@pytest.fixture(autouse=True)
def prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deps: Deps) -> Iterator[Path]:
    """A copy of what is shipped, and a registry that is empty."""
    folder = shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    monkeypatch.setenv("SEGUE_PROMPTS", str(folder))
    monkeypatch.setattr(shared.cli.registry, "connect", lambda: deps)
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prompts", *arguments])


def done(*arguments: str) -> Any:
    result = segue(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def edit(prompts: Path, before: str, after: str, file: str = CLASSIFY) -> None:
    text = (prompts / file).read_text("utf-8")
    assert before in text
    (prompts / file).write_text(text.replace(before, after), "utf-8")


def labels(name: str = "support/classify") -> dict[str, int]:
    [found] = [one for one in done("list") if one["name"] == name]
    return found["registry"]["labels"] if found["registry"] else {}


def test_a_prompt_is_pushed_labelled_and_rolled_back_and_who_did_it_is_kept(prompts: Path) -> None:
    [first] = done("push", "support/classify", "--message", "as shipped", "--by", "ada")
    assert (first["number"], first["is_new"], first["move"]) == (1, True, None)
    edit(prompts, "Classify this ticket.", "Sort this ticket.")
    [second] = done("push", "support/classify", "--label", "production", "--by", "bob")
    assert (second["number"], second["move"]["version"]) == (2, 2)
    assert (
        done("label", "support/classify", "production", "1", "--by", "ada")["move"]["before"] == 2
    )
    assert labels() == {"production": 1}
    back = done("rollback", "support/classify", "--by", "eve")["move"]
    assert (back["version"], back["by"], back["is_rollback"]) == (2, "eve", True)
    shown = done("show", "support/classify@1")
    assert "Classify this ticket." in shown["body"]
    assert [one["message"] for one in shown["registry"]["versions"]] == ["", "as shipped"]
    assert [move["by"] for move in shown["registry"]["moves"]] == ["eve", "ada", "bob"]
    table = segue("show", "support/classify").stdout
    assert "production: version 1 → version 2 (rollback)  by eve" in " ".join(table.split(" "))


def test_pushing_the_same_again_is_no_new_version() -> None:
    pushed = done("push", "--all")
    assert {one["number"] for one in pushed} == {1}
    assert len(pushed) == len(done("list"))
    again = segue("push", "support/draft")
    assert "version 1" in again.stdout
    assert "was there already" in again.stdout


def test_versions_are_compared_with_each_other_and_with_the_disk(prompts: Path) -> None:
    done("push", "support/classify", "--label", "production")
    assert segue("diff", "support/classify").stdout == ""
    edit(prompts, "Classify this ticket.", "Sort this ticket.")
    told = segue("diff", "support/classify").stdout.splitlines()
    assert told[0].startswith("--- support/classify@production ")
    assert told[1].startswith("+++ support/classify ")
    assert told[-5:-3] == ["-Classify this ticket.", "+Sort this ticket."]
    done("push", "support/classify", "--label", "staging")
    between = done("diff", "support/classify@1", "@staging")
    assert (between["is_same"], between["lines"][-5]) == (False, "-Classify this ticket.")


def test_a_prompt_that_does_not_fit_a_flow_gets_no_label_of_that_flow(prompts: Path) -> None:
    flow = "flows/support-reply.yaml"
    edit(prompts, "prompt: support/classify\n", "prompt: support/classify@staging\n", flow)
    edit(prompts, "{{ text }}", "{{ nobody }}")
    done("push", "support/classify")
    edit(prompts, "{{ nobody }}", "{{ text }}")
    refused = segue("label", "support/classify", "staging", "1")
    assert isinstance(refused.exception, UnfitPromptError)
    assert "does not fit flow 'support-reply': prompt" in str(refused.exception)
    assert labels() == {}
    done("label", "support/classify", "production", "1")  # no flow asks for that label


def test_a_copy_elsewhere_is_pushed_in_place_of_the_one_on_disk(prompts: Path) -> None:
    other = prompts.parent / "other.md.j2"
    other.write_text((prompts / CLASSIFY).read_text("utf-8") + "\nBe brief.", "utf-8")
    [pushed] = done("push", "support/classify", "--file", str(other), "--label", "production")
    assert pushed["is_new"]
    assert "Be brief." in done("show", "support/classify@production")["body"]


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("label", "support/classify", "production", "7"), NoSuchVersionError, "no version 7"),
        (
            ("label", "support/classify", "production", "beta"),
            NoSuchVersionError,
            "no label 'beta'",
        ),
        (("label", "support/classify", "production", "0"), VersionInvalidError, "'0' is no label"),
        (("label", "support/classify", "3", "1"), RegistryRefusedError, "'3' is no label"),
        (("label", "nope", "production", "1"), NoSuchVersionError, "no version 1"),
        (("rollback", "support/classify"), RegistryRefusedError, "nothing to go back to"),
        (("rollback", "nope"), RegistryRefusedError, "'nope' was ever pushed"),
        (("show", "support/classify@beta"), NoSuchVersionError, "no label 'beta'"),
        (("diff", "support/classify@1", "@2"), NoSuchVersionError, "no version 2"),
        (("push", "nope"), NoSuchPromptError, "no prompt 'nope'"),
        (("push",), NothingToPushError, "either a NAME, with a --file or without, or --all"),
        (("push", "nope", "--all"), NothingToPushError, "either a NAME"),
        (("push", "--all", "--file", "x"), NothingToPushError, "either a NAME"),
        (("push", "nope", "--file", "no/such/file"), PromptFileError, "No such file"),
        (("push", "nope", "--file", __file__), PromptFileError, "front matter"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    arguments: tuple[str, ...], error: type[Exception], told: str
) -> None:
    done("push", "support/classify")
    refused = segue(*arguments)
    assert isinstance(refused.exception, error)
    assert told in str(refused.exception)
    assert labels() == {}


def test_without_a_registry_what_is_on_disk_is_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> Deps:
        raise NothingRunningError("nothing runs here")

    monkeypatch.setattr(shared.cli.registry, "connect", nothing)
    listed = segue("list", "--json")
    assert "support/classify" in {one["name"] for one in json.loads(listed.stdout)}
    assert "without the registry: nothing runs here" in listed.stderr
    assert segue("show", "support/classify").exit_code == 0
    assert isinstance(segue("push", "support/classify").exception, NothingRunningError)


def test_cases_are_run_and_a_prompt_that_breaks_one_is_told(
    prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = done("test", "support/classify")
    assert {(one["passed"], one["asked"]) for one in results} == {(True, False)}
    answers = [{"category": "spam", "urgency": "low", "summary": "s", "confidence": 1}]
    model = ScriptedModel({"support/classify": answers})
    monkeypatch.setattr(shared.cli.commands.cases, "connect_model", lambda: model)
    asked = segue("test", "support/classify", "--live")
    assert asked.exit_code == 1
    assert "✗ support/classify: a double charge is an urgent matter of billing" in asked.stdout
    assert """answer is not such that answer.category == "billing": '{"category""" in asked.stdout
    assert f"1 failed of {len(results)} cases" in asked.stdout
    assert len(model.calls) == 2
    edit(prompts, "Classify this ticket.", "Sort this ticket.")
    assert segue("test").exit_code == 1


def test_cases_that_are_not_there_or_not_sound_are_told(prompts: Path) -> None:
    (prompts / "cases/joke/write.yaml").unlink()
    assert isinstance(segue("test", "joke/write").exception, NoCasesError)
    edit(prompts, "contains:", "contians:", "cases/joke/critique.yaml")
    broken = segue("test")
    assert broken.exit_code == 1
    assert "prompts/cases/joke/critique.yaml:7: " in broken.stderr
