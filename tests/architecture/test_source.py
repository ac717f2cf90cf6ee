"""The shape of the source: small modules and functions, said what they are for, named for it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shared.runtime.settings import ROOT

PACKAGES = ("shared", "functions", "emulator", "tests")
MAX_MODULE = 350  # lines
MAX_FUNCTION, USUAL_FUNCTION = 45, 30  # lines of a body: the longest, and 95 of 100
MAX_DOCSTRING = 5  # lines
PICTURES = {"shared/__init__.py", "shared/errors/__init__.py", "functions/__init__.py"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}
_SKIPPED = {".git", ".venv", ".segue", "build", "__pycache__", "node_modules"}
_TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".tf", ".hcl", ".j2", ".json", ".sh", ".tfvars"}
# Written in two pieces so that this file does not hold what it looks for.
_UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|XX" + "X:")


@cache
def modules() -> dict[str, str]:
    """Path -> source of every module."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(paths)}


@cache
def syntax(name: str) -> ast.Module:
    return ast.parse(modules()[name])


def bodies() -> Iterator[tuple[int, str]]:
    """Lines of every function's body, and its name."""
    for name in modules():
        for node in ast.walk(syntax(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.end_lineno - node.body[0].lineno + 1, f"{name}: {node.name}"


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in _SKIPPED and not f.endswith("_cache")]
        for file in files:
            path = Path(folder, file)
            if path.suffix in _TEXT or file == "Makefile":
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def words_of(name: str) -> set[str]:
    return set(re.split(r"[/_.]", name))


def test_every_module_says_in_a_few_lines_what_it_is_for() -> None:
    wrong = {}
    for name, source in modules().items():
        docstring = ast.get_docstring(syntax(name)) or ""
        lines = len(docstring.splitlines())
        most = 80 if name in PICTURES else MAX_DOCSTRING
        if source.strip() and not 1 <= lines <= most:
            wrong[name] = lines
    assert wrong == {}


def test_no_module_is_too_long_to_read() -> None:
    lengths = {name: len(source.splitlines()) for name, source in modules().items()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE} == {}


def test_no_function_is_too_long_and_most_are_short() -> None:
    lengths = sorted(bodies())
    assert [(lines, name) for lines, name in lengths if lines > MAX_FUNCTION] == []
    assert lengths[int(len(lengths) * 0.95)][0] <= USUAL_FUNCTION


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    assert [name for name in modules() if words_of(name) & VAGUE] == []
    classes = [
        (name, node.name)
        for name in modules()
        for node in ast.walk(syntax(name))
        if isinstance(node, ast.ClassDef)
    ]
    ending = tuple(word.title() for word in VAGUE)
    assert [found for found in classes if found[1].endswith(ending)] == []


def test_nothing_is_left_unfinished() -> None:
    assert [name for name, text in texts() if _UNFINISHED.search(text)] == []


def _swallows(handler: ast.ExceptHandler) -> bool:
    everything = {None, "Exception", "BaseException"}
    caught = ast.unparse(handler.type) if handler.type else None
    return caught in everything and all(isinstance(node, ast.Pass) for node in handler.body)


def test_no_error_is_swallowed_whatever_it_is() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name in modules()
        for node in ast.walk(syntax(name))
        if isinstance(node, ast.ExceptHandler) and _swallows(node)
    ]
    assert found == []


@pytest.mark.parametrize("package", ["shared", "functions"])
def test_packages_export_nothing_of_their_own(package: str) -> None:
    """What is imported is imported from where it is defined."""
    body = syntax(f"{package}/__init__.py").body
    assert [type(node) for node in body] == [ast.Expr]


def test_test_modules_hold_functions_and_no_test_classes() -> None:
    found = [
        f"{name}: {node.name}"
        for name in modules()
        if name.startswith("tests/")
        for node in syntax(name).body
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
    ]
    assert found == []
