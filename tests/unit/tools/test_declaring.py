"""What a Python function must be to be a tool, and what models are told of it."""

# ruff: noqa: ARG001 - signatures are what is read here
from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from shared.errors import ToolDeclarationError
from shared.tools import Happened, NotHappened, ToolContext, make, registered_tools, replaced, tool


class Size(StrEnum):
    """A choice."""

    SMALL = "small"
    LARGE = "large"


class Box(BaseModel):
    """What is sent."""

    title: str
    size: Size = Size.SMALL


async def send(
    box: Box,
    json: int,
    context: ToolContext,
    note: Annotated[str, Field(description="Shown to the carrier.", max_length=80)] = "",
) -> list[Box]:
    """Send a box.

    To whoever waits for it.
    """
    return [box]


def test_a_signature_becomes_a_schema_without_what_the_system_gives() -> None:
    made = make(send, effect="keyed").version
    assert made.name == "send"
    assert made.description == "Send a box.\n\nTo whoever waits for it."
    assert made.parameters == {
        "$defs": {
            "Box": {
                "description": "What is sent.",
                "properties": {
                    "title": {"type": "string"},
                    "size": {"$ref": "#/$defs/Size", "default": "small"},
                },
                "required": ["title"],
                "type": "object",
            },
            "Size": {"description": "A choice.", "enum": ["small", "large"], "type": "string"},
        },
        "additionalProperties": False,
        "properties": {
            "box": {"$ref": "#/$defs/Box"},
            "json": {"type": "integer"},
            "note": {
                "default": "",
                "description": "Shown to the carrier.",
                "maxLength": 80,
                "type": "string",
            },
        },
        "required": ["box", "json"],
        "type": "object",
    }
    assert made.result["items"] == {"$ref": "#/$defs/Box"}
    assert made.declaration().model_dump() == {
        "name": "send",
        "description": made.description,
        "parameters": made.parameters,
    }


def test_an_effect_is_unsafe_unless_its_author_promises_more() -> None:
    assert make(send).version.effect == "unsafe"
    assert make(send, effect="pure").version.effect == "pure"


def test_a_decorated_function_stays_what_it_was_and_is_registered() -> None:
    with replaced({}):

        @tool
        def first() -> int:
            """One."""
            return 1

        @tool("second.of-two", effect="pure", description="Two.")
        def other() -> int:
            return 2

        assert (first(), other()) == (1, 2)
        assert registered_tools()["first"].effect == "unsafe"
        assert registered_tools()["second.of-two"].description == "Two."
        with pytest.raises(ToolDeclarationError, match="is a tool already"):
            tool("first", description="Two.")(other)
    assert "first" not in registered_tools()


def silent() -> int:
    return 1


def untold():
    """One."""


def loose(a, b: int) -> int:
    """One."""
    return b


def many(*a: int) -> int:
    """One."""
    return len(a)


def odd(a: Callable[[], int]) -> int:
    """One."""
    return a()


def lost(a: Nowhere) -> int:  # noqa: F821
    """One."""
    return 1


@pytest.mark.parametrize(
    ("function", "options", "problem"),
    [
        (silent, {}, "docstring"),
        (untold, {}, "annotate its result"),
        (loose, {}, "parameter 'a'"),
        (many, {}, "parameter 'a'"),
        (odd, {}, "JSON Schema"),
        (lost, {}, "Nowhere"),
        (send, {"name": "1st"}, "begins with a letter"),
        (send, {"name": "x" * 64}, "up to 63"),
        (odd.__class__, {"name": "a b"}, "begins with a letter"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_name(
    function: Callable[..., Any], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ToolDeclarationError, match=problem):
        make(function, **options)


def keyless(a: int) -> int:
    """One."""
    return a


def asked(a: int) -> Happened | NotHappened:
    """Whether it happened."""
    return NotHappened()


def asked_otherwise(b: int) -> Happened | NotHappened:
    """Whether it happened."""
    return NotHappened()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"effect": "keyed"}, "needs its key"),
        ({"effect": "probe"}, "go together"),
        ({"effect": "pure", "probe": asked}, "go together"),
        ({"effect": "probe", "probe": asked_otherwise}, "the same arguments"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolDeclarationError, match=problem):
        make(keyless, **options)


def test_a_probe_takes_the_same_arguments_with_or_without_a_context() -> None:
    assert make(keyless, effect="probe", probe=asked).version.effect == "probe"
