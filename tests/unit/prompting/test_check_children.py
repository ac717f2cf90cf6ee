"""Flows that open each other: each must be there, take what it gets, and come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.library import Library, read_library


def read(root: Path, **flows: str) -> Library:
    """The library of flows, each a step or two in YAML."""
    folder = root / "prompts" / "flows"
    folder.mkdir(parents=True)
    for name, steps in flows.items():
        head, _, rest = steps.rpartition("|")
        lines = "".join(f"  {line}\n" for line in rest.strip().splitlines())
        (folder / f"{name}.yaml").write_text(f"flow: {name}\non: call\n{head}\nsteps:\n{lines}")
    return read_library(root / "prompts")


def told(library: Library) -> list[str]:
    return [f"{one.file.rsplit('/')[-1]}:{one.line}: {one.message}" for one in library.problems]


LEAF = "a: {action: log.write, with: {message: hi}}"


def test_children_that_are_there_are_sound(tmp_path: Path) -> None:
    library = read(
        tmp_path,
        top="a: {flow: mid}\nb: {flow: leaf, await: false}",
        mid="a: {flow: leaf}",
        leaf=LEAF,
    )
    assert told(library) == []
    assert set(library.flows) == {"top", "mid", "leaf"}


def test_a_child_that_is_not_there_is_told_with_its_line(tmp_path: Path) -> None:
    library = read(
        tmp_path, top="a: {action: log.write, with: {message: x}}\nb:\n  flow: laef", leaf=LEAF
    )
    [problem] = told(library)
    assert problem == (
        "top.yaml:7: step 'b' opens a child, and there is no flow 'laef'; did you mean 'leaf'?"
    )
    assert set(library.flows) == {"leaf"}


def test_a_flow_cannot_be_used_without_its_child_and_so_on_upwards(tmp_path: Path) -> None:
    library = read(tmp_path, a="x: {flow: b}", b="x: {flow: c}", c="x: {prompt: none}", d=LEAF)
    assert set(library.flows) == {"d"}
    problems = told(library)
    assert [one.split(":")[0] for one in problems] == ["a.yaml", "b.yaml", "c.yaml"]
    assert "flow 'b' has mistakes of its own; correct them first" in problems[0]


@pytest.mark.parametrize(
    ("flows", "cycle"),
    [
        ({"a": "x: {flow: a}"}, "a → a"),
        ({"a": "x: {flow: b}", "b": "x: {flow: a, await: false}"}, "a → b → a"),
        ({"a": "x: {flow: b}", "b": "x: {flow: c}", "c": "x: {flow: b}"}, "b → c → b"),
    ],
)
def test_a_cycle_is_named(tmp_path: Path, flows: dict[str, str], cycle: str) -> None:
    library = read(tmp_path, **flows, leaf=LEAF)
    assert any(f"flows open each other without end: {cycle};" in one for one in told(library))
    assert set(library.flows) == {"leaf"}


def test_the_same_child_twice_is_no_cycle(tmp_path: Path) -> None:
    library = read(tmp_path, a="x: {flow: b}\ny: {flow: c}", b="x: {flow: c}", c=LEAF)
    assert told(library) == []


SCHEMA = "input: {type: object, required: [n], properties: {n: {type: integer}}"


@pytest.mark.parametrize(
    ("schema", "arguments", "complaint"),
    [
        (SCHEMA + "}", "{n: 1, more: 2}", None),
        (SCHEMA + "}", "{m: 1}", "flow 'leaf' needs 'n'; step 'x' has to give it in `with`"),
        (SCHEMA + ", additionalProperties: false}", "{n: 1, m: 1}", "takes no 'm'; it takes n"),
        ("input: {type: array}", "{}", "takes no object, and `with` always gives one"),
        ("", "{anything: 1}", None),
    ],
)
def test_with_is_held_against_the_childs_input(
    tmp_path: Path, schema: str, arguments: str, complaint: str | None
) -> None:
    library = read(tmp_path, top=f"x: {{flow: leaf, with: {arguments}}}", leaf=f"{schema}|{LEAF}")
    problems = told(library)
    assert (problems == []) if complaint is None else (complaint in problems[0])


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("fallback: {prompt: say}", "asks no model; its fallback is a `value` or a `step`"),
        ("await: false, timeout: 1m", "does not wait for its child, which 'timeout' needs"),
        ("await: false, foreach: event.data", "does not wait for its child, which 'foreach'"),
        ("retry: {attempts: 2}", "give the child's own steps a `retry`"),
        ("with: {n: '{{ nobody }}'}", "'nobody' is undefined"),
        ("await: maybe", "steps.x.await: "),
        ("with: [1]", "steps.x.with: "),
        ("foreach: event.data, with: {n: '{{ item }}'}", None),
        ("fallback: {value: 1}, on_error: continue", None),
    ],
)
def test_what_a_child_step_can_say(tmp_path: Path, more: str, complaint: str | None) -> None:
    library = read(tmp_path, top=f"x: {{flow: leaf, {more}}}", leaf=LEAF)
    problems = told(library)
    assert (problems == []) if complaint is None else (complaint in problems[0])


def test_the_flow_that_a_failure_starts_must_be_there(tmp_path: Path) -> None:
    library = read(
        tmp_path,
        a=f"on_failure: leef|{LEAF}",
        b=f"on_failure: a|{LEAF}",
        c=f"on_failure: leaf|{LEAF}",
        leaf=LEAF,
    )
    assert set(library.flows) == {"c", "leaf"}
    first, second = told(library)
    assert first.startswith("a.yaml:3: a failure starts another flow, and there is no flow 'leef'")
    assert "flow 'a' has mistakes of its own; correct them first" in second


AGENT = "a:\n  agent: help\n  tools:\n    - {{flow: {}, as: ask, description: Asks.}}"
OBJECT = "input: {type: object}"


def with_prompt(root: Path, **flows: str) -> Library:
    folder = root / "prompts" / "templates"
    folder.mkdir(parents=True)
    (folder / "help.md.j2").write_text("---\ndescription: Helps.\nmodel: m\n---\nHelp.")
    return read(root, **flows)


def test_a_flow_that_is_a_tool_is_told_of_with_what_it_takes(tmp_path: Path) -> None:
    library = with_prompt(tmp_path, top=AGENT.format("leaf"), leaf=f"{OBJECT}|{LEAF}")
    assert told(library) == []
    assert library.flows["top"].inputs == {"leaf": {"type": "object"}}
    assert library.flows["leaf"].declaration().keys() == {"flow"}


@pytest.mark.parametrize(
    ("called", "leaf", "complaint"),
    [
        ("laef", LEAF, "tool 'ask' opens a run, and there is no flow 'laef'; did you mean 'leaf'?"),
        ("leaf", LEAF, "flow 'leaf' cannot be a tool: it has no `input`, which is what models"),
        (
            "leaf",
            f"input: {{type: array}}|{LEAF}",
            "flow 'leaf' cannot be a tool: its `input` is not of `type: object`",
        ),
        ("top", LEAF, "flows open each other without end: top → top"),
    ],
)
def test_a_flow_that_cannot_be_a_tool_is_told_with_its_line(
    tmp_path: Path, called: str, leaf: str, complaint: str
) -> None:
    problems = told(with_prompt(tmp_path, top=AGENT.format(called), leaf=leaf))
    [problem] = [one for one in problems if one.startswith("top.yaml:8: ")]
    assert complaint in problem


def test_an_agent_cannot_open_a_flow_that_opens_its_own(tmp_path: Path) -> None:
    leaf = f"{OBJECT}|x: {{flow: top}}"
    problems = told(with_prompt(tmp_path, top=AGENT.format("leaf"), leaf=leaf))
    assert "flows open each other without end: leaf → top → leaf" in problems[0]
