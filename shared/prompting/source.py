"""Reads YAML so that every complaint can name file and line.

YAML 1.2 booleans (`on` is a word, not true), no duplicate keys, nothing but plain data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from shared.domain.choices import TAG

Location = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong in a file, where, and what to do about it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class SourceProblems(Exception):
    """A file could not be read; carries the problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True)
class Source:
    """Plain data and the line of every key and item in it; `node` is what it was read from."""

    file: str
    data: Any
    lines: Mapping[Location, int]
    node: Node | None = None

    def line(self, location: Location) -> int:
        """Line of the innermost part of `location` that is in the file."""
        for end in range(len(location), -1, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return 1

    def problem(self, location: Location, message: str) -> Problem:
        return Problem(self.file, self.line(location), message)

    def problems(self, error: ValidationError) -> list[Problem]:
        """Pydantic's complaints in the words of a file."""
        return [self._problem(dict(item)) for item in error.errors()]

    def _problem(self, item: Mapping[str, Any]) -> Problem:
        location = tuple(
            part for i, part in enumerate(item["loc"]) if not self._is_tag(item["loc"], i)
        )
        where = ".".join(str(part) for part in location)
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key; remove it or correct its spelling"
        elif item["type"] == "missing":
            message = "missing; add it"
        return self.problem(location, f"{where}: {message}" if where else message)

    def _is_tag(self, location: Location, index: int) -> bool:
        """Union tags (`steps.draft.prompt.needs`) are in pydantic's location, not in the file."""
        if str(location[index]).startswith(TAG):
            return True
        before = tuple(p for i, p in enumerate(location[:index]) if not self._is_tag(location, i))
        return (index, len(before), before[:1]) in {(2, 2, ("steps",)), (1, 1, ("on",))}


class _Loader(yaml.SafeLoader):
    """SafeLoader whose booleans are those of YAML 1.2 and whose dates stay text."""

    yaml_implicit_resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read_yaml(text: str, file: str, *, first_line: int = 1) -> Source:
    """Raises SourceProblems where the text is not YAML or repeats a key."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Location, int] = {(): first_line}
        if node is not None:
            _walk(node, (), file, first_line, lines)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + first_line
        problem = Problem(file, line, f"not valid YAML: {error.problem}")
        raise SourceProblems([problem]) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SourceProblems([Problem(file, first_line, f"not valid YAML: {reason}")]) from error
    except RecursionError as error:
        problem = Problem(file, first_line, "nested too deeply, or an alias holds itself")
        raise SourceProblems([problem]) from error
    return Source(file, data, lines, node)


def _walk(node: Node, at: Location, file: str, first: int, lines: dict[Location, int]) -> None:
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + first
            if name in seen:
                raise SourceProblems([Problem(file, line, f"{name!r} is there twice; keep one")])
            seen.add(name)
            lines[*at, name] = line
            _walk(value, (*at, name), file, first, lines)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            lines[*at, index] = item.start_mark.line + first
            _walk(item, (*at, index), file, first, lines)
