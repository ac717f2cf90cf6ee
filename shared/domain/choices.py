"""Choices that a person writes as a word or as a mapping, told apart so that complaints fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Discriminator

from shared.domain.model import Declared

# Tags, which pydantic puts into the places of its complaints; all begin alike.
TAG = "$"
WORD, MAPPING = f"{TAG}word", f"{TAG}mapping"


def one_of(*words: str, otherwise: type[Declared]) -> Any:
    """Tells a word from a mapping, so that a complaint is about what was written."""
    [key] = otherwise.model_fields

    def kind(value: Any) -> str | None:
        if isinstance(value, str):
            return WORD if value in words else None
        return MAPPING if isinstance(value, Mapping | otherwise) else None

    told = ", ".join([*words, f"{{{key}: …}}"])
    return Discriminator(
        kind, custom_error_type="one_of", custom_error_message=f"this is one of: {told}"
    )
