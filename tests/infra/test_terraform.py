"""Terraform's own checks of `infra/`; the tree is left as it was."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path

import pytest

from shared.runtime.settings import ROOT
from tests.infra.planning import INFRA, PLAN, needs_terraform, run, terraform

pytestmark = needs_terraform

REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"


def test_everything_is_in_the_canonical_format() -> None:
    done = terraform(INFRA, "fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, f"terraform fmt -recursive infra would change:\n{done.stdout}"


def test_the_plan_passes_its_own_tests(tmp_path: Path) -> None:
    run(PLAN, "init", "-no-color", data=tmp_path)
    assert " 0 failed" in run(PLAN, "test", "-no-color", data=tmp_path)


@pytest.fixture
def registry() -> None:
    """Skips where the providers cannot be had."""
    try:
        with urllib.request.urlopen(REGISTRY, timeout=5):
            return
    except OSError as error:
        pytest.skip(f"registry.terraform.io does not answer ({error})")


@pytest.mark.usefixtures("registry")
def test_the_whole_is_valid_by_the_real_providers(tmp_path: Path) -> None:
    for folder in ("infra", "functions", "prompts", "shared"):
        ignored = shutil.ignore_patterns(".terraform*", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    root = tmp_path / "infra"
    run(root, "init", "-no-color", "-backend=false")
    run(root, "validate", "-no-color")


def test_variables_and_outputs_are_described_and_in_alphabetical_order() -> None:
    for file in (*INFRA.rglob("variables*.tf"), *INFRA.rglob("outputs.tf")):
        blocks = file.read_text("utf-8").split("\n}\n")
        heads = [
            line.split('"')[1]
            for block in blocks
            for line in block.splitlines()
            if line.startswith(("variable ", "output "))
        ]
        assert heads == sorted(heads), file
        for block in blocks:
            if block.lstrip().startswith(("variable ", "output ")):
                assert "description" in block, f"{file}: {block.splitlines()[:2]}"
