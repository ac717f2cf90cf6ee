"""A stage is deployed with pinned, hashed packages: those it needs, and no others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from emulator.requirements import commands
from shared.domain.stages import Stage
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

STAGES = list(read_stages().stages.values())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_VIA = re.compile(r"^ +#(?: via|  ) +(?P<name>[A-Za-z0-9._-]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Package -> its version and hashes."""
    found = {}
    joined = path.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    for line in lines:
        pin = _PIN.match(line)
        assert pin is not None, f"{path}: {line[:80]!r} is not pinned"
        found[pin["name"]] = (pin["version"], frozenset(_HASH.findall(line)))
    return found


def names(requirements: list[str]) -> set[str]:
    """Direct requirements, without the project's own extras."""
    found = {re.split(r"[\[><=!~ ;]", requirement)[0].lower() for requirement in requirements}
    return found - {PROJECT["name"]}


def needed_by(lock: Path) -> dict[str, set[str]]:
    """Package -> those that need it, as uv notes below each pin; direct ones by the project."""
    found: dict[str, set[str]] = {}
    needers: set[str] = set()
    for line in lock.read_text("utf-8").splitlines():
        if pin := _PIN.match(line):
            needers = found[pin["name"]] = set()
        elif via := _VIA.match(line):
            needers.add(via["name"])
    return found


LOCK = ROOT / ".ci" / "requirements.lock"
LOCKED, NEEDED_BY = pins(LOCK), needed_by(LOCK)
BASE = names(PROJECT["dependencies"])


def closure(extras: Iterable[str]) -> set[str]:
    """What the project and its extras declare, and whatever that needs in turn, by the lock."""
    needed = BASE.union(*(names(EXTRAS[extra]) for extra in extras))
    while further := {name for name, by in NEEDED_BY.items() if by & needed} - needed:
        needed |= further
    return needed


def pinned(stage: Stage) -> dict[str, tuple[str, frozenset[str]]]:
    return pins(ROOT / "functions" / stage.name / "requirements.txt")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_pin_is_the_locks_with_its_hashes(stage: Stage) -> None:
    for name, (version, hashes) in pinned(stage).items():
        assert LOCKED[name] == (version, hashes)
        assert hashes


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_has_all_that_it_needs_and_nothing_else(stage: Stage) -> None:
    """Run `make lock` where this fails."""
    assert set(pinned(stage)) == closure(stage.extras)


def test_the_lock_is_made_first_and_then_for_every_stage_with_its_extras() -> None:
    lock, *stages = commands()
    assert lock[-2:] == ("-o", ".ci/requirements.lock")
    made = {one[-1]: {b for a, b in pairwise(one) if a == "--extra"} for one in stages}
    assert made == {
        f"functions/{stage.name}/requirements.txt": set(stage.extras) for stage in STAGES
    }


def test_only_generate_carries_a_model_sdk() -> None:
    assert [stage.name for stage in STAGES if "google-genai" in pinned(stage)] == ["generate"]


def test_everything_that_is_declared_is_locked_and_nothing_else() -> None:
    assert set(LOCKED) == closure(EXTRAS.keys() - {"emulators"})
