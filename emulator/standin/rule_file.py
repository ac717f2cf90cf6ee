"""Reads rule files (YAML): refuses unknown and repeated keys with file, line and remedy.

Must not know how rules are matched. JSON is read too, being YAML.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from emulator.standin.faults import BadControlError, count, fault_named, seconds
from emulator.standin.rules import Rule, Rules, When
from emulator.standin.scripts import ScriptedCall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

_RULE_KEYS = ("when", "answer", "answers", "calls", "fault", "delay", "times")
_WHEN_KEYS = ("model", "prompt", "contains", "pattern", "system_contains")
_SO_FAR_KEYS = ("asked_contains", "results_contain", "after_tool", "turn")
_CALL_KEYS = ("name", "args", "each", "if")
_SAYS = ("answer", "answers", "calls", "fault")


class RuleFileError(BadControlError):
    """A rule file cannot be used; the message starts with file:line."""


class _Loader(yaml.SafeLoader):
    # Dates stay text: an answer must be a JSON value.
    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(path: Path) -> Rules:
    """Read a rule file; raises RuleFileError."""
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, source: str) -> Rules:
    """Read rules from text; `source` is what messages call it."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return Rules([] if node is None else _Reader(loader, source).rules(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else mark.line + 1
        message = f"{source}:{line}: this is not YAML: {error.problem}"
        raise RuleFileError(message) from error
    except yaml.YAMLError as error:
        raise RuleFileError(f"{source}:1: this is not YAML: {error}") from error
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: _Loader, source: str) -> None:
        self._loader = loader
        self._source = source

    def rules(self, node: yaml.Node) -> list[Rule]:
        if isinstance(node, yaml.MappingNode):
            node = self._fields(node, ("rules",), "a rule file").get("rules", node)
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, "the rules must be a list: start each with `- when:`")
        return [self._rule(each) for each in node.value]

    def _rule(self, node: yaml.Node) -> Rule:
        fields = self._fields(node, _RULE_KEYS, "a rule")
        if not any(key in fields for key in (*_SAYS, "delay")):
            raise self._error(node, f"the rule does nothing: give it one of {', '.join(_SAYS)}")
        said = [key for key in ("answer", "answers", "calls") if key in fields]
        if len(said) > 1:
            where = fields[said[1]]
            raise self._error(where, f"the rule has both {said[0]} and {said[1]}: keep one")
        return Rule(
            when=self._when(fields["when"]) if "when" in fields else When(),
            answers=self._answers(fields),
            calls=self._calls(fields["calls"]) if "calls" in fields else (),
            fault=self._read(fields, "fault", fault_named),
            delay=self._read(fields, "delay", seconds) or 0.0,
            times=self._read(fields, "times", count),
        )

    def _when(self, node: yaml.Node) -> When:
        fields = self._fields(node, (*_WHEN_KEYS, *_SO_FAR_KEYS), "when")
        return When(
            model=self._read(fields, "model", str),
            prompt=self._read(fields, "prompt", str),
            contains=self._read(fields, "contains", _texts) or (),
            pattern=self._read(fields, "pattern", _pattern),
            system_contains=self._read(fields, "system_contains", _texts) or (),
            asked_contains=self._read(fields, "asked_contains", _texts) or (),
            results_contain=self._read(fields, "results_contain", _texts) or (),
            after_tool=self._read(fields, "after_tool", str),
            turn=self._read(fields, "turn", _turn),
        )

    def _answers(self, fields: dict[str, yaml.Node]) -> tuple[str, ...]:
        if "answer" in fields:
            return (_as_text(self._value(fields["answer"])),)
        if "answers" not in fields:
            return ()
        values = self._value(fields["answers"])
        if not isinstance(values, list) or not values:
            raise self._error(fields["answers"], "answers must be a list of at least one answer")
        return tuple(_as_text(value) for value in values)

    def _calls(self, node: yaml.Node) -> tuple[ScriptedCall, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self._error(node, "calls must be a list of {name: ..., args: {...}}")
        return tuple(self._call(each) for each in node.value)

    def _call(self, node: yaml.Node) -> ScriptedCall:
        fields = self._fields(node, _CALL_KEYS, "a call")
        values = {key: self._value(each) for key, each in fields.items()}
        args = values.get("args", {})
        if "name" not in values or not isinstance(args, dict | str):
            raise self._error(node, "a call needs a name, and its args must be a mapping")
        only_if = str(values["if"]) if "if" in values else None
        return ScriptedCall(str(values["name"]), args, values.get("each"), only_if)

    def _fields(self, node: yaml.Node, known: tuple[str, ...], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, f"{what} must be a mapping with {', '.join(known)}")
        fields: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key not in known:
                remedy = f"{what} has only {', '.join(known)}"
                raise self._error(key_node, f"unknown key {key!r}: {remedy}")
            if key in fields:
                raise self._error(key_node, f"the key {key!r} is here twice: keep one")
            fields[key] = value_node
        return fields

    def _read(self, fields: dict[str, yaml.Node], key: str, reader: Callable[[Any], T]) -> T | None:
        if key not in fields:
            return None
        try:
            return reader(self._value(fields[key]))
        except BadControlError as error:
            raise self._error(fields[key], str(error)) from error

    def _value(self, node: yaml.Node) -> Any:
        self._refuse_repeated_keys(node)
        return self._loader.construct_object(node, deep=True)

    def _refuse_repeated_keys(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.SequenceNode):
            for each in node.value:
                self._refuse_repeated_keys(each)
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.value in seen:
                raise self._error(key_node, f"the key {key_node.value!r} is here twice: keep one")
            seen.add(key_node.value)
            self._refuse_repeated_keys(value_node)

    def _error(self, node: yaml.Node, problem: str) -> RuleFileError:
        return RuleFileError(f"{self._source}:{node.start_mark.line + 1}: {problem}")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _turn(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadControlError(f"turn is {value!r}: the first answer of a conversation is turn 1")
    return value


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(str(value))
    except re.error as error:
        problem = f"{value!r} is no regular expression ({error}): quote what is meant literally"
        raise BadControlError(problem) from error
