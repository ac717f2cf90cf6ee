"""Versions: a hash of all the content and nothing else, and what must travel to a step."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.flow import END
from shared.domain.version import FlowVersion, PromptVersion

HEAD: dict[str, Any] = {"description": "d", "model": "m", "parameters": {"temperature": 0}}
PROMPT: dict[str, Any] = {
    "name": "p",
    "head": {**HEAD, "system": "be {{ tone }}"},
    "body": "{{ text }} {{ first.x }}",
    "partials": {"_partials/a": "{{ event.id }}"},
}
FLOW: dict[str, Any] = {
    "flow": "f",
    "on": {"event": "t"},
    "timeout": "10m",
    "steps": {
        "first": {"call": "a.b", "with": {"x": "{{ event.data }}"}},
        "other": {"action": "log.write", "with": {"message": "m"}},
        "asked": {
            "needs": ["first", "other"],
            "when": "other.severity == 'INFO'",
            "prompt": "p",
            "with": {"text": "{{ run.id }}", "tone": "kind"},
        },
        "last": {"needs": "asked", "action": "log.write", "with": {"message": "done"}},
    },
    "outputs": {"a": "{{ first.y }}", "b": None},
}


def version_of(flow: dict[str, Any] = FLOW, prompt: dict[str, Any] = PROMPT) -> FlowVersion:
    return FlowVersion.model_validate({"flow": flow, "prompts": {"p": prompt}})


@pytest.mark.parametrize(
    "change",
    [
        {"body": "other"},
        {"head": HEAD},
        {"head": {**HEAD, "model": "other"}},
        {"head": {**HEAD, "parameters": {"temperature": 1}}},
        {"head": {**HEAD, "description": "other"}},
        {"head": {**HEAD, "output": {"type": "object"}}},
        {"partials": {}},
        {"partials": {"_partials/a": "other"}},
    ],
)
def test_any_change_of_a_prompt_is_a_new_version_of_it_and_of_its_flows(
    change: dict[str, Any],
) -> None:
    changed = {**PROMPT, **change}
    assert PromptVersion(**changed).version != PromptVersion(**PROMPT).version
    assert version_of(prompt=changed).version != version_of().version


@pytest.mark.parametrize(
    "change",
    [
        {"description": "d"},
        {"on": {"event": "t2"}},
        {"on": {"event": "t", "where": "true"}},
        {"timeout": "11m"},
        {"outputs": {}},
        {"steps": {**FLOW["steps"], "last": {**FLOW["steps"]["last"], "needs": "first"}}},
        {"steps": {**FLOW["steps"], "more": FLOW["steps"]["other"]}},
    ],
)
def test_any_change_of_a_flow_is_a_new_version(change: dict[str, Any]) -> None:
    assert version_of({**FLOW, **change}).version != version_of().version


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(FLOW.items())),
        {**FLOW, "timeout": "600s"},
        {**FLOW, "description": ""},
        {**FLOW, "input": None},
    ],
)
def test_the_same_content_is_the_same_version_however_it_is_written(same: dict[str, Any]) -> None:
    assert version_of(same).version == version_of().version


def test_a_prompts_version_does_not_depend_on_its_name() -> None:
    assert PromptVersion(**{**PROMPT, "name": "q"}).version == PromptVersion(**PROMPT).version


def test_a_declaration_is_read_back_as_the_same_version() -> None:
    version = version_of()
    again = FlowVersion.model_validate(version.declaration())
    assert again == version
    assert again.version == version.version
    assert again.declaration() == version.declaration()


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("first", {"event", "other", "run", "text", "tone", "first"}),
        ("other", {"event", "other", "run", "text", "tone", "first"}),
        ("asked", {"event", "other", "run", "text", "tone", "first"}),
        ("last", {"first"}),
        (END, {"first"}),
    ],
)
def test_what_this_or_a_later_step_reads_is_wanted(step: str, wanted: set[str]) -> None:
    assert version_of().wanted(step) == wanted


@pytest.mark.parametrize(
    ("step", "steps"),
    [("first", set()), ("asked", {"first", "other"}), ("last", {"first"}), (END, {"first"})],
)
def test_only_steps_that_have_finished_are_wanted_from_the_store(
    step: str, steps: set[str]
) -> None:
    assert version_of().wanted_steps(step) == steps
