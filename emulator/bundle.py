"""Builds a stage's bundle: the folder that is uploaded as its function, and run with --isolated.

One description of what is in it, for whoever copies or zips it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from shared.runtime.settings import ROOT

_LEFT_OUT = ("shared/testing/", "shared/cli/", "prompts/cases/")
_SUFFIXES = frozenset({".py", ".typed", ".yaml", ".json", ".j2", ".txt", ".md"})


def bundle_files(stage: str, root: Path = ROOT) -> dict[str, Path]:
    """Path in the bundle -> file it comes from, sorted: the same tree, the same bundle."""
    own = f"functions/{stage}"
    files = {
        "main.py": root / own / "main.py",
        "requirements.txt": root / own / "requirements.txt",
        "functions/__init__.py": root / "functions/__init__.py",
        "functions/stages.yaml": root / "functions/stages.yaml",
    }
    for folder in (own, "shared", "prompts"):
        files.update(_tree(root, folder))
    return dict(sorted(files.items()))


def _tree(root: Path, folder: str) -> Iterator[tuple[str, Path]]:
    for path in (root / folder).rglob("*"):
        name = path.relative_to(root).as_posix()
        wanted = path.is_file() and path.suffix in _SUFFIXES and "__pycache__" not in path.parts
        if wanted and not name.startswith(_LEFT_OUT):
            yield name, path


def build_bundle(stage: str, into: Path, root: Path = ROOT) -> Path:
    """Copies the bundle into an empty folder and returns it."""
    if into.exists():
        shutil.rmtree(into)
    for name, source in bundle_files(stage, root).items():
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return into
