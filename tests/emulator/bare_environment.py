"""Environments that hold the packages of one requirements file and nothing else, as a build makes.

uv is asked with its own settings first, then with those of pip, where this machine has some.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

_LIMIT = 200  # seconds, for a machine that has none of the packages yet
_NO_ANSWER = (
    "Failed to fetch",
    "Failed to download",
    "Could not connect",
    "error sending request",
    "Network connectivity is disabled",
)
_PIPS = {  # a setting of pip -> what uv reads for it
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def bare_environment(requirements: Path, folder: Path) -> Path:
    """Makes the environment and returns its folder of commands; skips where no index answers."""
    _uv({}, "venv", "--quiet", "--python", sys.executable, str(folder))
    install = ("pip", "install", "--quiet", "--no-deps", "--require-hashes")
    python = ("--python", str(folder / "bin" / "python"))
    for settings in _registries():
        done = _uv(settings, *install, *python, "-r", str(requirements), may_fail=True)
        if done.returncode == 0:
            return folder / "bin"
    if any(words in done.stderr for words in _NO_ANSWER):
        pytest.skip(f"no package index answers: {done.stderr.strip().splitlines()[0]}")
    pytest.fail(f"{requirements} cannot be installed:\n{done.stderr}")


def _registries() -> Iterator[Mapping[str, str]]:
    yield {}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings = (line.partition("=") for line in listed.stdout.splitlines())
    found = {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in settings}
    mapped = {variable: str(found[name]) for name, variable in _PIPS.items() if name in found}
    if mapped:  # pip takes the best of all indexes, and so must uv then
        yield {**mapped, "UV_INDEX_STRATEGY": "unsafe-best-match"}


def _uv(
    settings: Mapping[str, str], *arguments: str, may_fail: bool = False
) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        [str(Path(sys.executable).with_name("uv")), *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=not may_fail,
    )
