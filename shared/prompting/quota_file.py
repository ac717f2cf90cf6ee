"""`quotas.yaml`: what each model takes in a minute. Without the file nothing is limited."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.prompting.source import Problem, SourceProblems, read_yaml

QUOTAS = "quotas.yaml"


def read_quotas(root: Path) -> Quotas:
    """The quotas in a folder of prompts. Raises SourceProblems."""
    path = root / QUOTAS
    if not path.is_file():
        return NO_QUOTAS
    source = read_yaml(path.read_text("utf-8"), f"{root.name}/{QUOTAS}")
    try:
        return Quotas.model_validate(source.data or {})
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error


def quota_problems(root: Path) -> list[Problem]:
    """What is wrong with them."""
    try:
        read_quotas(root)
    except SourceProblems as error:
        return list(error.problems)
    return []
