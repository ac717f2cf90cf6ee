"""`segue simulate` becomes the simulator's own process, with the options it was given."""

from __future__ import annotations

import os
import sys

import pytest
from typer.testing import CliRunner

from shared.cli.app import app


def test_every_option_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, command: called.append(command))
    given = ["--flow", "joke", "--event", "e", "--data", "-1", "--seeds", "9", "--seed", "0"]
    CliRunner().invoke(app, ["simulate", *given, "--jobs", "2", "--trace", "--json"])
    [command] = called
    assert command == [
        *(sys.executable, "-m", "emulator", "simulate"),
        *("--flow=joke", "--event=e", "--data=-1", "--seeds=9", "--seed=0", "--jobs=2"),
        *("--trace", "--json"),
    ]


def test_no_seeds_are_bad_usage() -> None:
    assert CliRunner().invoke(app, ["simulate", "--seeds", "0"]).exit_code == 2
