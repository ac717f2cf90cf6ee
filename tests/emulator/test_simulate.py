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


def test_the_shipped_flows_keep_every_guarantee_on_any_number_of_processes() -> None:
    def told(jobs: str) -> dict[str, Any]:
        done = segue("--seeds", "4", "--jobs", jobs, "--json")
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("left out: flow 'reassign-by-code' is started by name")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    shared, alone = told("2"), told("1")
    assert shared == alone
    assert shared["ok"]
    started = [one for one in shipped().flows.values() if not isinstance(one.flow.on, CallTrigger)]
    names = [one["name"] for one in shared["simulated"]]
    assert names == sorted(one.flow.flow for one in started)


def test_what_cannot_be_simulated_is_bad_usage() -> None:
    done = segue("--flow", "joke", "--data", '{"topic": ""}')
    assert done.returncode == 2
    assert "undisturbed, run joke-" in done.stderr
