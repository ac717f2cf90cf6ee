"""Turns a prompt version and a step's variables into the request the model gets.

Templates run in the sandbox, strict about undefined variables; they can include their own partials
and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import DictLoader, Template, UndefinedError
from jsonschema import Draft202012Validator

from shared.domain.envelope import ModelRequest, PromptPin
from shared.domain.expressions import StrictSandbox
from shared.domain.version import PromptVersion
from shared.errors import InputInvalidError, TemplateError


def render(
    prompt: PromptVersion,
    variables: Mapping[str, Any],
    arguments: Mapping[str, Any],
    labels: Mapping[str, str],
) -> ModelRequest:
    """The request. `arguments` (the step's `with`) hide variables of the same name.

    Raises TemplateError, or InputInvalidError where `arguments` break the prompt's input schema.
    """
    _check_input(prompt, arguments)
    seen = {**variables, **arguments}
    return ModelRequest(
        model=prompt.head.model,
        messages=(("user", _render(prompt, "body", prompt.body, seen)),),
        system=_render(prompt, "system", prompt.head.system, seen) if prompt.head.system else None,
        parameters=prompt.head.parameters,
        output_schema=prompt.head.output,
        labels=dict(labels),
    )


def pin_of(prompt: PromptVersion) -> PromptPin:
    """Which prompt this is, for records and logs."""
    return PromptPin(name=prompt.name, version=prompt.version)


def _check_input(prompt: PromptVersion, arguments: Mapping[str, Any]) -> None:
    if prompt.head.input is None:
        return
    broken = schema_problem(prompt.head.input, dict(arguments))
    if broken:
        raise InputInvalidError(f"prompt {prompt.name}: `with` {broken}")


def schema_problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """The first way in which a value breaks a JSON Schema, or None."""
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(e.path))
    if not errors:
        return None
    where = "".join(f"[{part!r}]" for part in errors[0].absolute_path)
    return f"{where or 'as a whole'}: {errors[0].message}"


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
