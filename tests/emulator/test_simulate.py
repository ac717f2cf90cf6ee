"""`segue simulate` in processes of its own: what it prints, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from shared.domain.flow import CallTrigger
from shared.runtime.settings import ROOT
from tests.functional.system import shipped


def segue(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shared.cli", "simulate", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def simulated(*options: str) -> dict[str, Any]:
    done = segue(*options, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"]
    return found


def test_the_shipped_flows_keep_every_guarantee() -> None:
    done = segue("--seeds", "2", "--jobs", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("left out: flow 'reassign-by-code' is started by name")
    started = [one for one in shipped().flows.values() if not isinstance(one.flow.on, CallTrigger)]
    names = [one["name"] for one in json.loads(done.stdout)["simulated"]]
    assert names == sorted(one.flow.flow for one in started)


def test_seeds_tell_the_same_on_any_number_of_processes() -> None:
    about = ("--flow", "joke", "--seeds", "6")
    assert simulated(*about, "--jobs", "2") == simulated(*about, "--jobs", "1")


def test_what_cannot_be_simulated_is_bad_usage() -> None:
    done = segue("--flow", "joke", "--data", '{"topic": ""}')
    assert done.returncode == 2
    assert "undisturbed, run joke-" in done.stderr
