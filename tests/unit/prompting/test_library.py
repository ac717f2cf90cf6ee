"""The library: a broken file is left out and reported, the others are served."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.fitting import MAX_FLOW_BYTES
from shared.prompting.library import read_library, read_prices
from shared.prompting.source import SourceProblems

FLOW = "flow: {name}\non: {{event: t}}\nsteps:\n  a: {{prompt: {prompt}}}\n"
PROMPT = "---\ndescription: d\nmodel: m\n---\n{body}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "prompts"
    write(
        root, "templates/greet/hello.md.j2", PROMPT.format(body="Hi. {% include '_partials/x' %}")
    )
    write(root, "templates/_partials/x.md.j2", "never")
    write(root, "templates/plain.md.j2", PROMPT.format(body="Hi."))
    write(root, "flows/one.yaml", FLOW.format(name="one", prompt="plain"))
    return root


def write(root: Path, name: str, text: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_prompts_are_named_by_their_path_and_partials_are_no_prompts(root: Path) -> None:
    write(root, "templates/greet/hello.md.j2", PROMPT.format(body="Hi."))
    library = read_library(root)
    assert set(library.prompts) == {"greet/hello", "plain"}
    assert library.problems == ()


def test_a_broken_prompt_leaves_the_others_served(root: Path) -> None:
    library = read_library(root)
    assert set(library.prompts) == {"plain"}
    assert set(library.flows) == {"one"}
    [problem] = library.problems
    assert problem.file == "prompts/templates/greet/hello.md.j2"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (FLOW.format(name="two", prompt="missing"), "there is no prompt 'missing'"),
        (FLOW.format(name="three", prompt="plain"), "is called 'three'; name the file after it"),
        ("flow: [", "not valid YAML"),
        (b"flow: \xff", "not UTF-8"),
        ("a: &a {b: *a}", "an alias holds itself"),
        ("x: \x07", "not valid YAML"),
    ],
)
def test_a_broken_flow_is_left_out_and_the_others_are_served(
    root: Path, text: str | bytes, complaint: str
) -> None:
    write(root, "templates/greet/hello.md.j2", PROMPT.format(body="Hi."))
    write(root, "flows/two.yaml", text)
    library = read_library(root)
    assert set(library.flows) == {"one"}
    [problem] = library.problems
    assert problem.file == "prompts/flows/two.yaml"
    assert complaint in problem.message


def test_a_flow_whose_prompt_is_broken_is_left_out_too(root: Path) -> None:
    write(root, "flows/two.yaml", FLOW.format(name="two", prompt="greet/hello"))
    library = read_library(root)
    assert set(library.flows) == {"one"}
    assert [problem.file.split("/")[1] for problem in library.problems] == ["flows", "templates"]


def test_a_flow_too_large_to_be_stored_is_left_out(root: Path) -> None:
    write(root, "templates/plain.md.j2", PROMPT.format(body="x" * MAX_FLOW_BYTES))
    library = read_library(root)
    assert library.flows == {}
    assert any("over 900 KiB" in problem.message for problem in library.problems)


def test_an_empty_folder_is_an_empty_library(tmp_path: Path) -> None:
    library = read_library(tmp_path)
    assert (library.flows, library.prompts, library.problems) == ({}, {}, ())


def test_reading_twice_gives_the_same_versions(root: Path) -> None:
    one, other = read_library(root).flows["one"], read_library(root).flows["one"]
    assert one.version == other.version


def test_prices_that_make_no_sense_are_told_with_their_line(tmp_path: Path) -> None:
    write(tmp_path, "prices.yaml", "as_of: 2026-01-01\nsource: s\nmodels:\n  m: {rat: {}}\n")
    with pytest.raises(SourceProblems, match=r"prices.yaml:4: models.m.rat: unknown key"):
        read_prices(tmp_path)
