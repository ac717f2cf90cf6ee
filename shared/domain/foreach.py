"""What a step can say that is run for each item of a list: which list, and how many may fail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from shared.domain.model import Declared

MAX_ITEMS = 10_000
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")


def _tolerable(value: object) -> object:
    if isinstance(value, str):
        match = _SHARE.fullmatch(value)
        if match is None or Decimal(match[1]) > 100:
            raise ValueError("this is a number of items, or a share of them from 0% to 100%")
    return value


class ForEach(Declared):
    """The step is run once for each item of a list; its output is the list of their outputs."""

    source: str = Field(alias="in", description="Expression; a list of at most 10,000 items.")
    max_parallel: int = Field(100, ge=1, le=1000, description="Items under way at once.")
    tolerate: Annotated[
        Annotated[int, Field(ge=0)] | str,
        BeforeValidator(_tolerable),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "string", "pattern": r"^\d{1,3}(\.\d{1,4})?%$"},
                ]
            }
        ),
    ] = Field(0, description="Items, or a share of them, that may fail: their outputs are null.")

    def tolerated(self, size: int) -> int:
        """How many of so many items may fail."""
        if isinstance(self.tolerate, int):
            return self.tolerate
        return int(Decimal(self.tolerate.removesuffix("%")) * size / 100)


def also_text(schema: dict[str, Any]) -> None:
    """Has a schema say that a text will do."""
    schema["anyOf"] = [{"type": "string"}, *schema["anyOf"]]


def for_each(value: object) -> object:
    """A text is the expression for the list."""
    if value is not None and not isinstance(value, str | Mapping | ForEach):
        raise ValueError("this is an expression for a list, or a mapping with it as `in`")
    return {"in": value} if isinstance(value, str) else value
