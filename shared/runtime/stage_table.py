"""Reads `functions/stages.yaml`, the one table of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.domain.model import Declared
from shared.domain.stages import BundleRules, Stage
from shared.errors import SourceInvalidError
from shared.prompting.source import Source, SourceProblems, read_yaml
from shared.runtime.settings import ROOT

TABLE = ROOT / "functions" / "stages.yaml"
_Part = TypeVar("_Part", bound=Declared)


@dataclass(frozen=True)
class StageTable:
    """All stages by name, the prefix of everything they are called by, and what they carry."""

    prefix: str
    stages: Mapping[str, Stage]
    bundle: BundleRules = field(default_factory=BundleRules)


@lru_cache(maxsize=4)
def read_stages(path: Path = TABLE) -> StageTable:
    """Raises SourceInvalidError naming file and line."""
    try:
        source = read_yaml(path.read_text("utf-8"), path.name)
    except SourceProblems as error:
        raise SourceInvalidError(str(error)) from error
    stages = {
        name: _checked(source, Stage, ("stages", name), {"name": name, **row})
        for name, row in source.data["stages"].items()
    }
    bundle = _checked(source, BundleRules, ("bundle",), source.data.get("bundle", {}))
    return StageTable(source.data["prefix"], stages, bundle)


def _checked(source: Source, kind: type[_Part], where: tuple[str, ...], data: Any) -> _Part:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        problem = source.problem((*where, *first["loc"]), first["msg"])
        raise SourceInvalidError(str(problem)) from error
