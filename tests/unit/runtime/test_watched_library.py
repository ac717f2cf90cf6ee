"""The library as a process sees it: fixed in the cloud, as the files are locally."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.runtime.watched_library import library_reader

FLOW = "flow: {name}\non: {{event: t}}\nsteps:\n  a: {{call: {call}}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    write(tmp_path, "one")
    return tmp_path


def write(root: Path, name: str, call: str = "crm.find") -> None:
    path = root / "flows" / f"{name}.yaml"
    path.write_text(FLOW.format(name=name, call=call), "utf-8")


def test_without_reload_the_library_stays_as_it_was_read(root: Path) -> None:
    read = library_reader(root, reload=False)
    before = read()
    write(root, "two")
    assert read() is before


def test_with_reload_it_follows_the_files(root: Path) -> None:
    read = library_reader(root, reload=True)
    before = read()
    assert read() is before
    write(root, "two")
    assert set(read().flows) == {"one", "two"}
    (root / "flows" / "two.yaml").unlink()
    assert set(read().flows) == {"one"}


def test_a_change_of_the_same_length_is_seen(root: Path) -> None:
    read = library_reader(root, reload=True)
    before = read().flows["one"].version
    write(root, "one", call="crm.lose")
    path = root / "flows" / "one.yaml"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert read().flows["one"].version != before


def test_a_tool_that_is_compiled_is_seen(root: Path) -> None:
    read = library_reader(root, reload=True)
    assert read().tools == {}
    (root / "tools").mkdir()
    text = '{"name": "find", "description": "Finds.", "parameters": {}}'
    (root / "tools" / "find.json").write_text(text, "utf-8")
    assert set(read().tools) == {"find"}


def test_a_mistake_is_reported_until_it_is_corrected(root: Path) -> None:
    read = library_reader(root, reload=True)
    (root / "flows" / "two.yaml").write_text("flow: [", "utf-8")
    assert [problem.line for problem in read().problems] == [1]
    assert set(read().flows) == {"one"}
    write(root, "two")
    assert read().problems == ()


@pytest.mark.parametrize("reload", [True, False])
def test_calls_are_checked_where_they_are_known(root: Path, *, reload: bool) -> None:
    read = library_reader(root, reload=reload, calls=frozenset({"crm.other"}))
    assert [problem.file for problem in read().problems] == [f"{root.name}/flows/one.yaml"]
