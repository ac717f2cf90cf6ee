"""Rendering: from a prompt version and variables to the request, and nothing beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.version import PromptVersion
from shared.errors import PromptInputInvalidError, TemplateError
from shared.prompting.render import pin_of, render, schema_problem


def prompt_of(body: str, partials: dict[str, str] | None = None, **head: Any) -> PromptVersion:
    return PromptVersion.model_validate(
        {
            "name": "p",
            "head": {"description": "d", "model": "m", **head},
            "body": body,
            "partials": partials or {},
        }
    )


def text_of(prompt: PromptVersion, variables: Any = None, arguments: Any = None) -> str:
    return render(prompt, variables or {}, arguments or {}, {}).messages[0][1]


def test_the_request_is_what_the_prompt_says() -> None:
    schema = {"type": "object"}
    prompt = prompt_of(
        "  Sort {{ text }}.\n",
        system="Be {{ tone }}.",
        parameters={"temperature": 0},
        output=schema,
    )
    request = render(prompt, {"tone": "kind"}, {"text": "this"}, {"segue-step": "s"})
    assert request.model_dump(exclude_defaults=True) == {
        "model": "m",
        "messages": (("user", "Sort this."),),
        "system": "Be kind.",
        "parameters": {"temperature": 0},
        "output_schema": schema,
        "labels": {"segue-step": "s"},
    }


def test_a_prompt_without_system_sends_none() -> None:
    assert render(prompt_of("x"), {}, {}, {}).system is None


def test_arguments_hide_variables() -> None:
    assert text_of(prompt_of("{{ a }}"), {"a": "outer"}, {"a": "inner"}) == "inner"


def test_braces_in_data_are_data() -> None:
    assert text_of(prompt_of("{{ a }}"), {"a": "{{ 7 * 7 }}"}) == "{{ 7 * 7 }}"


def test_partials_see_the_variables() -> None:
    prompt = prompt_of("{% include 'x' %}!", {"x": "hello {{ name }}"})
    assert text_of(prompt, {"name": "Ann"}) == "hello Ann!"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{{ missing }}", "prompt p (body): 'missing' is undefined"),
        ("{{ here.missing }}", "has no attribute 'missing'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% include 'x' %}", "TemplateNotFound"),
        ("{% include here.name %}", "TemplateNotFound"),
        ("{% include '/etc/passwd' %}", "TemplateNotFound"),
        ("{{ here.__class__.__mro__ }}", "unsafe"),
        ("{{ ''['__class__']['__base__'] }}", "unsafe"),
        ("{{ here | attr('__init__') }}", "unsafe"),
        ("{{ '{0.__class__.__mro__}'.format(here) }}", "unsafe"),
        ("{{ here.update({'a': 1}) }}", "unsafe"),
        ("{{ self.__init__.__globals__ }}", "unsafe"),
        ("{{ [1] | random }}", "random"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_a_template_that_reaches_too_far_fails(body: str, complaint: str) -> None:
    with pytest.raises(TemplateError) as caught:
        text_of(prompt_of(body), {"here": {"name": "../../etc/passwd"}})
    assert complaint in caught.value.detail


def test_the_failing_part_is_named() -> None:
    with pytest.raises(TemplateError, match=r"prompt p \(system\)"):
        text_of(prompt_of("x", system="{{ missing }}"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, 'at $: must have "text"'),
        ({"text": 5}, "at $.text: must be of type string"),
        ({"text": ""}, "at $.text: must meet minLength: 1"),
        ({"text": "x", "more": 1}, "at $: has unexpected properties"),
    ],
)
def test_arguments_must_fit_the_input_schema(arguments: dict[str, Any], complaint: str) -> None:
    schema = {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string", "minLength": 1}},
        "additionalProperties": False,
    }
    with pytest.raises(PromptInputInvalidError, match="the prompt's `input` schema") as caught:
        text_of(prompt_of("{{ text }}", input=schema), {"text": "not an argument"}, arguments)
    assert "prompt p" in caught.value.detail
    assert complaint in caught.value.detail


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1]}, None),
        ({"a": [1, "x"]}, "at $.a[1]: must be of type integer"),
        ([], "at $: must be of type object"),
    ],
)
def test_the_first_break_of_a_schema_is_told_with_its_place(
    value: object, problem: str | None
) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}},
    }
    assert schema_problem(schema, value) == problem


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": ["string", "null"]}, "at $: must be of type string or null"),
        ({"required": ["a", "b"]}, 'at $: must have ["a", "b"]'),
        ({"required": ["a", "hush"]}, 'at $: must have "a"'),
        ({"properties": {"hush": {"enum": ["x", 1]}}}, 'at $.hush: must be one of ["x", 1]'),
        ({"properties": {"hush": {"const": 7}}}, "at $.hush: must meet const: 7"),
        ({"properties": {"hush": {"pattern": "^x"}}}, 'at $.hush: must meet pattern: "^x"'),
        ({"properties": {"hush": {"not": {}}}}, "at $.hush: must meet not: {}"),
        ({"properties": {"hush": {"anyOf": [False]}}}, "at $.hush: must meet anyOf: [false]"),
        ({"properties": {"hush": False}}, "at $: has what must not be there"),
        ({"additionalProperties": False}, "at $: has unexpected properties"),
        ({"unevaluatedProperties": False}, "at $: has unexpected properties"),
        ({"maxProperties": 0}, "at $: must meet maxProperties: 0"),
        ({"propertyNames": {"maxLength": 1}}, "at $: must meet maxLength: 1"),
        ({"dependentRequired": {"hush": ["b"]}}, 'at $: must meet dependentRequired: {"hush": '),
    ],
)
def test_a_break_is_told_in_the_schemas_words_without_the_value(
    schema: dict[str, Any], problem: str
) -> None:
    told = schema_problem(schema, {"hush": "s3cret"})
    assert told is not None
    assert told.startswith(problem)
    assert "s3cret" not in told


def test_a_long_demand_is_shortened() -> None:
    told = schema_problem({"enum": ["x" * 1000]}, "y")
    assert told is not None
    assert len(told) < 250


def test_a_pin_names_prompt_and_version() -> None:
    prompt = prompt_of("x")
    assert pin_of(prompt).model_dump() == {"name": "p", "version": prompt.version, "variant": None}
