"""The files that tools are declared in, one each, for stages that do not import their functions.

Decides which files are out of date; what is in them comes from the functions, or from a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from shared.domain.agents.tool import PYTHON, ToolVersion
from shared.prompting.source import Problem, SourceProblems, read_yaml

FOLDER = "tools"
_REMEDY = "run `segue tools compile`"


def tool_text(tool: ToolVersion) -> str:
    """A tool's file: the same tool always gives the same text."""
    return json.dumps(tool.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def read_tools(prompts: Path, problems: list[Problem]) -> dict[str, ToolVersion]:
    """The tools declared under `prompts/tools/`; what is wrong there is added to `problems`."""
    found = {}
    for path in _files(prompts):
        try:
            found[path.stem] = _read(prompts, path)
        except SourceProblems as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            problems.append(Problem(_shown(prompts, path), 1, f"not UTF-8: {error.reason}"))
    return found


def write_tools(
    tools: Mapping[str, ToolVersion], prompts: Path, source: str = PYTHON
) -> list[Path]:
    """Writes each tool's file; those that had to be changed or removed.

    Removed are those of the same source that are no more.
    """
    changed = []
    for name, tool in tools.items():
        path, text = _path(prompts, name), tool_text(tool)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in _orphans(tools, prompts, source):
        path.unlink()
        changed.append(path)
    return changed


def stale_tools(
    tools: Mapping[str, ToolVersion], prompts: Path, *, complete: bool
) -> Iterator[Problem]:
    """The files that are not as `write_tools` has them; with `complete`, missing ones too."""
    for name, tool in tools.items():
        path = _path(prompts, name)
        if not path.is_file():
            if complete:
                yield Problem(_shown(prompts, path), 1, f"the tool's file is missing; {_REMEDY}")
        elif path.read_text("utf-8") != tool_text(tool):
            told = f"this is not what the function {name!r} says; {_REMEDY}"
            yield Problem(_shown(prompts, path), 1, told)
    for path in _orphans(tools, prompts, PYTHON):
        told = f"it was made from a function that is not there any more; {_REMEDY}"
        yield Problem(_shown(prompts, path), 1, told)


def _read(prompts: Path, path: Path) -> ToolVersion:
    shown = _shown(prompts, path)
    source = read_yaml(path.read_text("utf-8"), shown)  # JSON is YAML, which tells lines
    try:
        tool = ToolVersion.model_validate(source.data)
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    if tool.name != path.stem:
        told = f"the tool is called {tool.name!r}; name the file after it"
        raise SourceProblems([Problem(shown, 1, told)])
    return tool


def _orphans(tools: Mapping[str, ToolVersion], prompts: Path, source: str) -> list[Path]:
    """Files of a source that are not among its tools; unreadable ones are left alone."""
    declared = read_tools(prompts, [])
    gone = [name for name, one in declared.items() if one.source == source and name not in tools]
    return [_path(prompts, name) for name in sorted(gone)]


def _files(prompts: Path) -> list[Path]:
    return sorted((prompts / FOLDER).glob("*.json"))


def _path(prompts: Path, name: str) -> Path:
    return prompts / FOLDER / f"{name}.json"


def _shown(prompts: Path, path: Path) -> str:
    return f"{prompts.name}/{path.relative_to(prompts).as_posix()}"
