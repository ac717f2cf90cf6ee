"""Bundles: what is deployed as a stage's function, no more, no less, and the same every time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulator.bundle import (
    BundleInvalidError,
    BundleTargetError,
    build_bundle,
    bundle_files,
    bundle_hash,
    main,
    zip_bundle,
)
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

TABLE = read_stages()
STAGES = sorted(TABLE.stages)
FLOW = "prompts/flows/mine.yaml"
SMALL = {
    "functions/__init__.py": "",
    "functions/stages.yaml": """\
prefix: mine
bundle:
  files: [functions/__init__.py, functions/stages.yaml]
  folders: [shared]
  without: [shared/testing/]
  suffixes: [.py, .yaml]
stages:
  one: {trigger: http, budget: 1s, timeout: 2s, memory: 1Gi, data: [prompts/flows, one.yaml]}
  other: {trigger: http, budget: 1s, timeout: 2s, memory: 1Gi}
  odd: {trigger: http, budget: 1s, timeout: 2s, memory: 1Gi, data: [shared/notes.txt]}
""",
    "functions/odd/main.py": "",
    "functions/one/main.py": "import functions.one.handler\n",
    "functions/one/handler.py": "",
    "functions/one/requirements.txt": "a==1\n",
    "functions/other/handler.py": "",
    "functions/other/main.py": "import functions.other.handler\n",
    "functions/other/requirements.txt": "a==1\n",
    "shared/__init__.py": "",
    "shared/deep/er.py": "n = 1\n",
    "shared/notes.txt": "",
    "shared/testing/double.py": "",
    FLOW: "flow: mine\n",
    "one.yaml": "it is named\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of two stages."""
    return written(tmp_path / "small", SMALL)


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    yield
    os.umask(before)


# -- what is in it ---------------------------------------------------------------------------------


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


def test_only_route_carries_flows_and_prompts_and_only_generate_prices_and_quotas() -> None:
    """A changed prompt redeploys `route` and nothing else."""
    prompts = {path for path in ROOT.glob("prompts/*/**/*") if path.is_file()}
    at_home = {ROOT / "prompts" / "schemas", ROOT / "prompts" / "cases"}
    carried = {path for path in prompts if at_home.isdisjoint(path.parents)}
    for stage in STAGES:
        found = {path for name, path in bundle_files(stage).items() if name.startswith("prompts/")}
        prices = {ROOT / "prompts" / name for name in ("prices.yaml", "quotas.yaml")}
        servers = {ROOT / "prompts" / "tools" / "servers.yaml"}
        own = {"route": carried, "generate": prices, "act": servers}
        assert found == own.get(stage, set())


def test_data_files_of_a_stage_travel_with_it() -> None:
    assert "functions/act/calls/customers.json" in bundle_files("act")


@pytest.mark.parametrize("stage", STAGES)
def test_everything_in_a_bundle_is_text_as_the_deployment_reads_it(stage: str) -> None:
    for path in bundle_files(stage).values():
        path.read_text("utf-8")


def test_what_does_not_end_as_it_should_or_is_left_out_is_not_there(small: Path) -> None:
    left_out = ("shared/deep/notes.txt", "shared/.env", "shared/__pycache__/er.py", f"{FLOW}.md")
    written(small, dict.fromkeys(left_out, "left out"))
    assert set(bundle_files("one", small)) == {
        "main.py",
        "requirements.txt",
        "functions/__init__.py",
        "functions/stages.yaml",
        "functions/one/main.py",
        "functions/one/handler.py",
        "shared/__init__.py",
        "shared/deep/er.py",
        FLOW,
        "one.yaml",
    }


@pytest.mark.parametrize(
    ("stage", "gone", "told"),
    [
        ("one", "prompts", "is to have prompts/flows, which is not there"),
        ("one", "one.yaml", "is to have one.yaml, which is not there"),
        ("one", FLOW, "is to have prompts/flows, in which nothing is wanted"),
        ("odd", "functions/other/main.py", "is to have shared/notes.txt, in which nothing is"),
        ("one", "shared", "is to have shared, which is not there"),
        ("other", "functions/other/main.py", "the bundle of other needs the file main.py"),
        ("other", "functions/__init__.py", "needs the file functions/__init__.py"),
    ],
)
def test_what_is_missing_is_told(small: Path, stage: str, gone: str, told: str) -> None:
    path = small / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(BundleInvalidError, match=told):
        bundle_files(stage, small)


@pytest.mark.parametrize("target", ["er.py", "nothing.py", "../../prompts"])
def test_a_symbolic_link_is_refused(small: Path, target: str) -> None:
    (small / "shared/deep/link.py").symlink_to(target)
    with pytest.raises(BundleInvalidError, match=r"shared/deep/link.py is a symbolic link"):
        bundle_files("one", small)


def test_an_unknown_stage_is_refused_with_the_stages_there_are() -> None:
    with pytest.raises(BundleInvalidError, match=r"no stage 'onw'; the stages are ingest, route"):
        bundle_files("onw")


# -- its hash --------------------------------------------------------------------------------------


def test_the_hash_is_over_a_line_for_each_file(small: Path) -> None:
    lines = [
        f"{name}\t{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for name, path in sorted(bundle_files("one", small).items())
    ]
    assert bundle_hash("one", small) == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        (FLOW, {"one"}),
        ("functions/one/handler.py", {"one"}),
        ("functions/other/requirements.txt", {"other"}),
        ("shared/deep/er.py", {"one", "other"}),
        ("shared/deep/new.py", {"one", "other"}),
        ("shared/testing/double.py", set()),
        ("shared/deep/notes.txt", set()),
        ("prompts/other.yaml", set()),
    ],
)
def test_the_hash_changes_where_the_bundle_does(
    small: Path, changed: str, stages: set[str]
) -> None:
    before = {stage: bundle_hash(stage, small) for stage in ("one", "other")}
    written(small, {changed: "# another content\n"})
    assert {stage for stage in before if bundle_hash(stage, small) != before[stage]} == stages


def test_the_hash_changes_with_a_path(small: Path) -> None:
    before = bundle_hash("other", small)
    (small / "shared/deep/er.py").rename(small / "shared/deep/est.py")
    assert bundle_hash("other", small) != before


# -- archive and folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["act", "route"])
def test_archive_and_folder_hold_the_same(stage: str, tmp_path: Path) -> None:
    folder = tree(build_bundle(stage, tmp_path / "folder"))
    archive = zip_bundle(stage, tmp_path / "archives")
    with zipfile.ZipFile(archive) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == folder
        assert opened.namelist() == sorted(folder)
    assert archive.relative_to(tmp_path / "archives").as_posix() == (
        f"{stage}/{bundle_hash(stage)}.zip"
    )


def test_the_same_content_is_the_same_archive_whatever_the_disk_says(
    small: Path, tmp_path: Path
) -> None:
    with umask(0o077):
        again = written(tmp_path / "again", dict(reversed(SMALL.items())))
        for name in SMALL:
            os.utime(again / name, (1, 1))
        (again / "functions/one/main.py").chmod(0o755)
        other = zip_bundle("one", tmp_path / "b", again)
    one = zip_bundle("one", tmp_path / "a", small)
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_an_archive_is_readable_once_it_is_unpacked(small: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(zip_bundle("one", tmp_path, small)) as opened:
        assert {entry.external_attr >> 16 for entry in opened.infolist()} == {0o100644}


def test_a_build_leaves_nothing_of_an_earlier_one_even_if_that_was_cut_short(
    small: Path, tmp_path: Path
) -> None:
    into = tmp_path / "bundle"
    build_bundle("one", into, small)
    written(tmp_path, {".bundle.new/functions/one/half.py": ""})
    again = tree(build_bundle("other", into, small))
    assert list(again) == list(bundle_files("other", small))
    assert not (tmp_path / ".bundle.new").exists()


@pytest.mark.parametrize("root", ["functions/one", "."])
def test_a_folder_that_is_no_bundle_is_not_replaced(small: Path, root: str) -> None:
    before = tree(small)
    with pytest.raises(BundleTargetError, match="no bundle that may be replaced"):
        build_bundle("one", small / root, small)
    assert tree(small) == before


@pytest.mark.parametrize("write", [build_bundle, zip_bundle])
def test_a_target_that_cannot_be_written_is_told(small: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(BundleTargetError, match=r"cannot be written: Not a directory.*--into"):
        write("one", small / "one.yaml" / "deeper", small)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_tells_hash_and_path_of_what_it_builds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", "act", "--into", str(tmp_path), "--zip", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["stage"], each["hash"]) for each in found] == [
        (stage, bundle_hash(stage)) for stage in ("route", "act")
    ]
    assert all(zipfile.is_zipfile(each["path"]) for each in found)


def test_the_command_builds_every_stage_where_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--into", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == STAGES
    assert all(bundle_hash(stage) in capsys.readouterr().out for stage in STAGES[:1])


def test_the_command_tells_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "there is no stage 'nothing'" in capsys.readouterr().err
