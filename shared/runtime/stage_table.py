"""Reads `functions/stages.yaml`, the one table of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from shared.domain.stages import Stage
from shared.errors import SourceInvalidError
from shared.prompting.source import SourceProblems, read_yaml
from shared.runtime.settings import ROOT

TABLE = ROOT / "functions" / "stages.yaml"


@dataclass(frozen=True)
class StageTable:
    """All stages by name, and the prefix of everything they are called by."""

    prefix: str
    stages: Mapping[str, Stage]


@lru_cache(maxsize=4)
def read_stages(path: Path = TABLE) -> StageTable:
    """Raises SourceInvalidError naming file and line."""
    try:
        source = read_yaml(path.read_text("utf-8"), path.name)
    except SourceProblems as error:
        raise SourceInvalidError(str(error)) from error
    stages: dict[str, Stage] = {}
    for name, row in source.data["stages"].items():
        try:
            stages[name] = Stage.model_validate({"name": name, **row})
        except ValidationError as error:
            first = error.errors()[0]
            problem = source.problem(("stages", name, *first["loc"]), first["msg"])
            raise SourceInvalidError(str(problem)) from error
    return StageTable(source.data["prefix"], stages)
