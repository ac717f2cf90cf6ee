"""A Python function read as a tool: the schema of its arguments, its context, its result.

Decides what a function must look like to be one. Calls nothing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticUserError

from shared.domain.agents.tool import NAME
from shared.domain.model import Json
from shared.errors import ToolDeclarationError
from shared.tools.context import ToolContext

_BY_NAME = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})
_MAPS = frozenset({"properties", "$defs", "patternProperties"})  # whose keys are names
_DATA = frozenset({"default", "const", "enum", "examples"})


@dataclass(frozen=True)
class Signature:
    """What a function takes and gives.

    `context` names the parameter that the system fills; `result_title` is what pydantic calls the
    result where it does not hold.
    """

    arguments: type[BaseModel]
    context: str | None
    result: TypeAdapter[Any]
    result_title: str

    @property
    def parameters(self) -> dict[str, Json]:
        """The JSON Schema of the arguments."""
        return untitled(self.arguments.model_json_schema())

    @property
    def result_schema(self) -> dict[str, Json]:
        """The JSON Schema of the result."""
        return untitled(self.result.json_schema(mode="serialization"))


def named(name: str) -> str:
    """The name, where models can be told it. Raises ToolDeclarationError."""
    if not re.fullmatch(NAME, name):
        problem = "a name begins with a letter or _ and has up to 63 letters, digits, _ . -"
        raise ToolDeclarationError(f"tool {name!r}: {problem}")
    return name


def described(function: Callable[..., Any], name: str, given: str | None) -> str:
    """What the model reads about a tool. Raises ToolDeclarationError where that is nothing."""
    text = inspect.cleandoc(given if given is not None else function.__doc__ or "").strip()
    if not text:
        raise ToolDeclarationError(f"tool {name!r}: a docstring must tell models what it is for")
    return text


def read_signature(function: Callable[..., Any], name: str) -> Signature:
    """Raises ToolDeclarationError where the function cannot be a tool."""
    hints = _hints(function, name)
    if "return" not in hints:
        raise ToolDeclarationError(f"tool {name!r}: annotate its result, which is checked by that")
    fields: dict[str, Any] = {}
    context = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in _BY_NAME or parameter.name not in hints:
            problem = f"parameter {parameter.name!r} must have an annotation and take one value"
            raise ToolDeclarationError(f"tool {name!r}: {problem}")
        if hints[parameter.name] is ToolContext:
            context = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return _signature(name, fields, context, hints["return"])


def _signature(name: str, fields: dict[str, Any], context: str | None, result: Any) -> Signature:
    try:
        arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **_aliased(fields))
        signature = Signature(
            arguments, context, TypeAdapter(result), str(getattr(result, "__name__", ""))
        )
        _ = signature.parameters, signature.result_schema
    except (PydanticUserError, NameError, TypeError) as error:
        problem = str(error).splitlines()[0]
        raise ToolDeclarationError(f"tool {name!r} has no JSON Schema: {problem}") from error
    return signature


def _aliased(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields that no attribute of a model's can hide, such as `copy` or `json`."""
    return {
        f"argument_{name}": (kind, _field(name, default))
        for name, (kind, default) in fields.items()
    }


def _field(name: str, default: Any) -> Any:
    return Field(alias=name) if default is ... else Field(default, alias=name)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDeclarationError(
            f"tool {name!r}: an annotation cannot be read: {error}"
        ) from error


def untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the titles that pydantic makes of names: they tell a model nothing."""
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in _MAPS and isinstance(value, dict):
            kept[key] = {name: _plain(each) for name, each in value.items()}
        else:
            kept[key] = value if key in _DATA else _plain(value)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return untitled(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value
