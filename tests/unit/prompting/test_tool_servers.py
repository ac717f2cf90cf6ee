"""The file of MCP servers: read, or refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.source import SourceProblems
from shared.prompting.tool_servers import read_servers
from shared.runtime.settings import ROOT

TWO = """
servers:
  tracker:
    url: https://tracker.example.com/mcp
    headers: {Authorization: TRACKER_AUTH}
    timeout: 30s
    effects: {search: pure}
  local: {command: [local-mcp, --stdio]}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "tools").mkdir()
    (folder / "tools" / "servers.yaml").write_text(text, "utf-8")
    return folder


def test_servers_are_read_by_name(tmp_path: Path) -> None:
    found = read_servers(written(tmp_path, TWO))
    assert (found["tracker"].timeout, found["tracker"].effects) == (30.0, {"search": "pure"})
    assert found["local"].command == ("local-mcp", "--stdio")


@pytest.mark.parametrize("text", ["", "servers: {}", "# nothing"])
def test_a_file_may_declare_none(tmp_path: Path, text: str) -> None:
    assert read_servers(written(tmp_path, text)) == {}


def test_there_may_be_no_file_and_the_shipped_one_is_sound(tmp_path: Path) -> None:
    assert read_servers(tmp_path) == {}
    assert read_servers(ROOT / "prompts") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("servers: {a: {}}", "either a url or a command"),
        ("servers: {a: {url: x, command: [y]}}", "either a url or a command"),
        ("servers: {a: {url: x, token: y}}", "token"),
        ("servers: {a: {url: x, effects: {t: probe}}}", "effects"),
        ("servers: [", "tools/servers.yaml:1"),
    ],
)
def test_a_server_that_makes_no_sense_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SourceProblems, match=problem):
        read_servers(written(tmp_path, text))
