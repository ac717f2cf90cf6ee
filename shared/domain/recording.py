"""How records are stored, and what several of them hold: failures, tokens, costs.

JSON values are stored as JSON text: Firestore's own maps refuse nested arrays and index each leaf.
Everybody imports these from `shared.domain.records`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import field_validator

from shared.domain.model import Wire
from shared.errors import SegueError

MAX_TOLD = 2000  # characters of an error's text; a record holds several


class Failure(Wire):
    """Why something failed, for people (`message`) and machines (`code`)."""

    code: str
    message: str
    step: str | None = None

    @field_validator("message")
    @classmethod
    def _fits_into_records(cls, message: str) -> str:
        return message if len(message) <= MAX_TOLD else f"{message[:MAX_TOLD]} …"

    @classmethod
    def of(cls, error: SegueError, step: str | None = None) -> Self:
        return cls(code=error.code, message=str(error), step=step)


class Tokens(Wire):
    """Tokens as billed: `output` includes thoughts, `input` includes what the cache served."""

    input: int = 0
    output: int = 0
    cached: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
        )


class Usage(Wire):
    """What model calls cost. `cost_usd` is None where the price table lacks the model."""

    llm_calls: int = 0
    tokens: Tokens = Tokens()
    cost_usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            llm_calls=self.llm_calls + other.llm_calls,
            tokens=self.tokens + other.tokens,
            cost_usd=(self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )


class Record(Wire):
    """A document. `document()` and `of()` are each other's inverse.

    `JSON_FIELDS` hold JSON text when stored.
    """

    JSON_FIELDS: ClassVar[frozenset[str]] = frozenset()

    def document(self) -> dict[str, Any]:
        """All fields as stored."""
        return self.fields_of(dict(self))

    @classmethod
    def fields_of(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Some fields as stored: for an update."""
        return {name: cls._stored(name, value) for name, value in fields.items()}

    @classmethod
    def _stored(cls, name: str, value: Any) -> Any:
        if name in cls.JSON_FIELDS:
            value = value.model_dump(mode="json") if isinstance(value, Wire) else value
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return _plain(value)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        fields = {
            name: json.loads(value) if name in cls.JSON_FIELDS and isinstance(value, str) else value
            for name, value in document.items()
        }
        return cls.model_validate(fields)


def _plain(value: Any) -> Any:
    if isinstance(value, Wire):
        return value.model_dump()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value
