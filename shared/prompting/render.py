"""Turns a prompt version and a step's variables into the request the model gets.

Templates run in the sandbox, strict about undefined variables; they can include their own partials
and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import DictLoader, Template, UndefinedError
from jsonschema import Draft202012Validator, ValidationError

from shared.domain.envelope import ModelRequest, PromptPin
from shared.domain.expressions import StrictSandbox
from shared.domain.version import PromptVersion
from shared.errors import PromptInputInvalidError, TemplateError

_TOLD_CHARACTERS = 200  # of a demand, and of a place


def render(
    prompt: PromptVersion,
    variables: Mapping[str, Any],
    arguments: Mapping[str, Any],
    labels: Mapping[str, str],
) -> ModelRequest:
    """The request. `arguments` (the step's `with`) hide variables of the same name.

    Raises TemplateError, or PromptInputInvalidError where `arguments` break the prompt's `input`.
    """
    _check_input(prompt, arguments)
    seen = {**variables, **arguments}
    head = prompt.head
    return ModelRequest(
        model=head.model,
        messages=(("user", _render(prompt, "body", prompt.body, seen)),),
        system=_render(prompt, "system", prompt.head.system, seen) if prompt.head.system else None,
        parameters=prompt.head.parameters,
        output_schema=prompt.head.output,
        labels=dict(labels),
        others=prompt.head.models[1:],
        keep_for=head.cache.ttl if head.cache is not None else None,
        context_for=head.context_cache.ttl if head.context_cache is not None else None,
    )


def pin_of(prompt: PromptVersion) -> PromptPin:
    """Which prompt this is, for records and logs."""
    return PromptPin(name=prompt.name, version=prompt.version, variant=prompt.variant)


def _check_input(prompt: PromptVersion, arguments: Mapping[str, Any]) -> None:
    if prompt.head.input is None:
        return
    broken = schema_problem(prompt.head.input, dict(arguments))
    if broken:
        raise PromptInputInvalidError(f"prompt {prompt.name}: `with` {broken}")


def schema_problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """The first way in which a value breaks a JSON Schema, or None.

    Names the place and what the schema demands there, never the value: it is data of an event or a
    model's answer, and this text goes into logs and attributes.
    """
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(e.path))
    if not errors:
        return None
    return f"at {errors[0].json_path[:_TOLD_CHARACTERS]}: {_demand(errors[0])}"


def _demand(error: ValidationError) -> str:
    """What a schema's keyword asks for, in the schema's own words."""
    keyword: Any = error.validator  # typed as always set; the schema `false` has none
    asked: Any = error.validator_value
    value: Any = error.instance
    match keyword:
        case "type":
            return f"must be of type {' or '.join([asked] if isinstance(asked, str) else asked)}"
        case "required":
            missing = [name for name in asked if name not in value]
            return f"must have {_shortened(missing[0] if len(missing) == 1 else missing)}"
        case "additionalProperties" | "unevaluatedProperties":
            return "has unexpected properties"
        case "enum":
            return f"must be one of {_shortened(asked)}"
        case None:
            return "has what must not be there"
        case _:
            return f"must meet {keyword}: {_shortened(asked)}"


def _shortened(asked: Any) -> str:
    text = json.dumps(asked, ensure_ascii=False, default=str)
    return text if len(text) <= _TOLD_CHARACTERS else f"{text[:_TOLD_CHARACTERS]}…"


def _render(prompt: PromptVersion, part: str, source: str, variables: Mapping[str, Any]) -> str:
    try:
        text = _template(source, tuple(sorted(prompt.partials.items()))).render(**variables)
    except UndefinedError as error:
        raise TemplateError(f"prompt {prompt.name} ({part}): {error.message}") from error
    except Exception as error:  # a template may fail in any way that its data makes it
        raise TemplateError(
            f"prompt {prompt.name} ({part}): {type(error).__name__}: {error}"
        ) from error
    return text.strip()


@lru_cache(maxsize=512)
def _template(source: str, partials: tuple[tuple[str, str], ...]) -> Template:
    environment = StrictSandbox(loader=DictLoader(dict(partials)), keep_trailing_newline=False)
    return environment.from_string(source)
