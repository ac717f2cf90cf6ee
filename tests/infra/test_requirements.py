"""A stage is deployed with pinned, hashed packages: those it needs, and no others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from shared.domain.stages import Stage
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

STAGES = list(read_stages().stages.values())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
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


LOCKED = pins(ROOT / ".ci" / "requirements.lock")
BASE = names(PROJECT["dependencies"])


def pinned(stage: Stage) -> dict[str, tuple[str, frozenset[str]]]:
    return pins(ROOT / "functions" / stage.name / "requirements.txt")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_pin_is_the_locks_with_its_hashes(stage: Stage) -> None:
    for name, (version, hashes) in pinned(stage).items():
        assert LOCKED[name] == (version, hashes)
        assert hashes


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_has_what_it_needs(stage: Stage) -> None:
    needed = BASE.union(*(names(EXTRAS[extra]) for extra in stage.extras))
    assert needed <= set(pinned(stage))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_has_nothing_of_what_only_others_need(stage: Stage) -> None:
    own = BASE.union(*(names(EXTRAS[extra]) for extra in stage.extras))
    others = set().union(*(names(needed) for needed in EXTRAS.values())) - own
    assert set(pinned(stage)) & others == set()


def test_only_generate_carries_a_model_sdk() -> None:
    assert [stage.name for stage in STAGES if "google-genai" in pinned(stage)] == ["generate"]


def test_everything_that_is_declared_is_locked() -> None:
    declared = BASE.union(*(names(needed) for needed in EXTRAS.values()))
    assert declared - set(LOCKED) <= names(EXTRAS["emulators"])
