"""The one expression language: Jinja2 in its sandbox, strict about what is undefined.

Pure and repeatable: nothing in it reads a clock, a file or a random number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import ExpressionError

Variables = Mapping[str, Any]
_DELIMITERS = re.compile(r"\A\{\{[-+]?|-?\}\}\Z")  # with their signs for white space


class StrictSandbox(ImmutableSandboxedEnvironment):
    """Sandbox without the two built-ins whose answer changes from call to call."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, **options)
        del self.globals["lipsum"]
        del self.filters["random"]
        self.filters["json"] = _as_json

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key before a method: `order.items` is what the order's `items` holds."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_ENVIRONMENT = StrictSandbox()
GLOBALS = frozenset(_ENVIRONMENT.globals)  # what an expression can use without being given it


def evaluate(source: str, variables: Variables) -> Any:
    """Value of an expression. Raises ExpressionError naming the expression and what failed."""
    try:
        value = _compiled(source)(**variables)
        if isinstance(value, Iterator | range):  # what filters like `map` give
            value = list(value)
    except Exception as error:  # an expression may fail in any way that its data makes it
        raise ExpressionError(f"`{source.strip()}` failed: {_reason(error)}") from error
    if isinstance(value, Undefined):
        raise ExpressionError(f"`{source.strip()}` failed: it refers to something undefined")
    return value


def holds(source: str, variables: Variables) -> bool:
    """Truth of a condition."""
    return bool(evaluate(source, variables))


def fill(value: Any, variables: Variables) -> Any:
    """The value with every template in it filled in.

    A string that is one `{{ expression }}` and nothing else keeps the expression's type.
    """
    if isinstance(value, str):
        return _fill_text(value, variables)
    if isinstance(value, Mapping):
        return {key: fill(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, variables) for item in value]
    return value


def names(value: Any, *, expression: bool = False) -> frozenset[str]:
    """Variables that an expression, or the templates anywhere in a value, refer to.

    Raises ExpressionError where the syntax is wrong.
    """
    if isinstance(value, str):
        return _names(value, expression=expression)
    return frozenset().union(*(names(item) for item in _items(value)))


@lru_cache(maxsize=4096)
def _names(text: str, *, expression: bool) -> frozenset[str]:
    template = syntax(text, expression=expression)
    return frozenset(meta.find_undeclared_variables(template)) if template else frozenset()


def attributes(value: Any, *, expression: bool = False) -> frozenset[tuple[str, str]]:
    """Pairs (variable, attribute) that are read, e.g. `draft.text`, guarded or not."""
    template = syntax(value, expression=expression)
    if template is None:
        return frozenset().union(*(attributes(item) for item in _items(value)))
    return frozenset(
        (node.node.name, node.attr)
        for node in template.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name)
    )


def syntax(value: Any, *, expression: bool = False) -> nodes.Template | None:
    """Syntax tree of a string, None for other values. Raises ExpressionError."""
    if not isinstance(value, str):
        return None
    try:
        template = _ENVIRONMENT.parse("{{ (" + value + ") }}" if expression else value)
        meta.find_undeclared_variables(template)  # finds filters and tests that do not exist
        if expression:
            _compiled(value)
    except TemplateError as error:
        raise ExpressionError(f"`{value.strip()}` is not valid: {error.message}") from error
    return template


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _fill_text(text: str, variables: Variables) -> Any:
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    only = _only_expression(text)
    if only is not None:
        return evaluate(only, variables)
    try:
        return _template(text).render(**variables)
    except Exception as error:  # a template may fail in any way that its data makes it
        raise ExpressionError(f"`{text.strip()}` failed: {_reason(error)}") from error


@lru_cache(maxsize=4096)
def _only_expression(text: str) -> str | None:
    stripped = text.strip()
    template = syntax(stripped)
    if template is None or len(template.body) != 1:
        return None
    output = template.body[0]
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return None
    if isinstance(output.nodes[0], nodes.TemplateData):
        return None
    return _DELIMITERS.sub("", stripped).strip()


@lru_cache(maxsize=4096)
def _template(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


@lru_cache(maxsize=4096)
def _compiled(source: str) -> Any:
    return _ENVIRONMENT.compile_expression(source, undefined_to_none=False)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
