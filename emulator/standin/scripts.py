"""What a rule says at this point of a conversation: its templates filled in from what was said.

Templates are the project's own expressions. They can read `turn`, `asked` (what the user's turns
say), `system`, `results` (by tool, a list each) and `done` (calls in order: name, args, result).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.standin.wire import ToolCall
from shared.domain.expressions import fill, holds
from shared.errors import ExpressionError

if TYPE_CHECKING:
    from emulator.standin.question import Question


class ScriptError(Exception):
    """A rule's template does not fit what was said; the message says which and how."""


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A call as a rule has it: once, or for `each` item of a list; `only_if` may leave it out."""

    name: str
    args: Any = field(default_factory=dict)
    each: Any = None
    only_if: str | None = None


def filled(value: Any, question: Question) -> Any:
    """Return a value with its templates filled in; raises ScriptError."""
    try:
        return fill(value, _variables(question))
    except ExpressionError as error:
        raise ScriptError(error.detail) from error


def said(text: str, question: Question) -> str:
    """Return an answer with its templates filled in: in the values, where it is JSON."""
    if "{{" not in text and "{%" not in text:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = filled(text, question)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(filled(value, question), ensure_ascii=False)


def asked(calls: tuple[ScriptedCall, ...], question: Question) -> tuple[ToolCall, ...]:
    """Return the calls that a rule asks for at this point; raises ScriptError where it is none."""
    variables = _variables(question)
    try:
        found = [made for call in calls for made in _calls(call, variables)]
    except ExpressionError as error:
        raise ScriptError(error.detail) from error
    if not found:
        raise ScriptError("the rule's calls come to nothing: ask for none in a rule of its own")
    turn = question.conversation.turn
    return tuple(
        ToolCall(name, args, f"call-{turn}-{number}")
        for number, (name, args) in enumerate(found, start=1)
    )


def _calls(call: ScriptedCall, variables: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    items = [None] if call.each is None else fill(call.each, variables)
    if not isinstance(items, list):
        raise ScriptError(f"each of {call.name} is {type(items).__name__}: give a list")
    made = []
    for item in items:
        known = {**variables, "item": item}
        if call.only_if is not None and not holds(call.only_if, known):
            continue
        args = fill(call.args, known)
        if not isinstance(args, dict):
            raise ScriptError(f"args of {call.name} is {type(args).__name__}: give a mapping")
        made.append((str(fill(call.name, known)), args))
    return made


def _variables(question: Question) -> dict[str, Any]:
    conversation = question.conversation
    return {
        "turn": conversation.turn,
        "asked": conversation.asked,
        "system": question.system,
        "results": conversation.results,
        "done": [asdict(each) for each in conversation.done],
    }
