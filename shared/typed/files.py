"""The flow files that typed flows are kept in, for stages that do not import their classes.

Decides which files are out of date; what is in them is decided in `compile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.prompting.source import Problem
from shared.typed.calling import AnyFlow
from shared.typed.compile import MADE, flow_text

_REMEDY = "run `segue flows compile`"


def write_files(flows: Mapping[str, AnyFlow], prompts: Path) -> list[Path]:
    """Writes `flows/<name>.yaml` for each; the files that had to be changed, or removed.

    A file whose flow is no more is removed; one that people have written is never touched.
    """
    changed = []
    for name, flow in flows.items():
        path, text = _path(prompts, name), flow_text(flow.shape)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in _orphans(flows, prompts):
        path.unlink()
        changed.append(path)
    return changed


def stale_files(flows: Mapping[str, AnyFlow], prompts: Path, *, complete: bool) -> list[Problem]:
    """The files that are not as `write_files` has them; with `complete`, missing ones too."""
    problems = []
    for name, flow in flows.items():
        path = _path(prompts, name)
        if not path.is_file():
            if complete:
                told = f"the file of {flow.shape.title} is missing; {_REMEDY}"
                problems.append(Problem(_shown(prompts, path), 1, told))
        elif path.read_text("utf-8") != flow_text(flow.shape):
            told = f"this is not what {flow.shape.title} in {flow.shape.file} says; {_REMEDY}"
            problems.append(Problem(_shown(prompts, path), 1, told))
    for path in _orphans(flows, prompts):
        told = f"it was made from a class that is not there any more; {_REMEDY}"
        problems.append(Problem(_shown(prompts, path), 1, told))
    return problems


def _orphans(flows: Mapping[str, AnyFlow], prompts: Path) -> list[Path]:
    return [
        path
        for path in sorted((prompts / "flows").glob("*.yaml"))
        if path.stem not in flows and MADE in path.read_text("utf-8", errors="replace")[:500]
    ]


def _path(prompts: Path, name: str) -> Path:
    return prompts / "flows" / f"{name}.yaml"


def _shown(prompts: Path, path: Path) -> str:
    return f"{prompts.name}/{path.relative_to(prompts).as_posix()}"
