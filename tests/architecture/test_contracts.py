"""Who may import whom: the contracts of pyproject.toml hold, and cover what they should."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

_LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def test_the_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LINT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_contracts_know_every_stage() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = configured["tool"]["importlinter"]["contracts"]
    [independent] = [c for c in contracts if c["type"] == "independence"]
    assert set(independent["modules"]) == {f"functions.{name}" for name in read_stages().stages}


def test_the_contracts_know_every_part_of_the_library() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = configured["tool"]["importlinter"]["contracts"]
    [layers] = [c for c in contracts if c.get("containers") == ["shared"]]
    known = {part for layer in layers["layers"] for part in layer.split(" | ")}
    there = {path.stem for path in (ROOT / "shared").iterdir() if path.suffix in {"", ".py"}}
    assert there - {"__init__", "__pycache__"} - known == {"testing"}
