"""Bundles: what is deployed as a stage's function, no more, no less, and the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.bundle import build_bundle, bundle_files
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

STAGES = sorted(read_stages().stages)


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_bundle_has_its_entry_point_and_all_it_reads(stage: str) -> None:
    files = bundle_files(stage)
    assert files["main.py"] == ROOT / "functions" / stage / "main.py"
    assert files["requirements.txt"] == ROOT / "functions" / stage / "requirements.txt"
    expected = {
        "functions/__init__.py",
        "functions/stages.yaml",
        f"functions/{stage}/__init__.py",
        f"functions/{stage}/handler.py",
        "shared/__init__.py",
        "shared/py.typed",
        "shared/runtime/entry.py",
        "prompts/prices.yaml",
        "prompts/flows/support-reply.yaml",
        "prompts/templates/_partials/voice.md.j2",
    }
    assert expected <= set(files)


@pytest.mark.parametrize("stage", STAGES)
def test_a_bundle_has_nothing_of_other_stages_and_nothing_for_tests(stage: str) -> None:
    for name in bundle_files(stage):
        top, *rest = name.split("/")
        assert top in {"main.py", "requirements.txt", "functions", "shared", "prompts"}
        assert "__pycache__" not in rest
        if top == "functions" and len(rest) > 1:
            assert rest[0] == stage
        if top == "shared":
            assert rest[0] not in {"testing", "cli"}


def test_data_files_of_a_stage_travel_with_it() -> None:
    assert "functions/act/calls/customers.json" in bundle_files("act")


@pytest.mark.parametrize("stage", ["act", "route"])
def test_two_builds_are_identical(stage: str, tmp_path: Path) -> None:
    one = tree(build_bundle(stage, tmp_path / "one"))
    other = tree(build_bundle(stage, tmp_path / "other"))
    assert one == other
    assert list(one) == sorted(bundle_files(stage))


def test_a_build_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    build_bundle("route", tmp_path / "bundle")
    again = tree(build_bundle("act", tmp_path / "bundle"))
    assert not any(name.startswith("functions/route/") for name in again)


def test_the_listing_is_sorted_so_that_archives_do_not_depend_on_the_disk() -> None:
    names = list(bundle_files("act"))
    assert names == sorted(names)
