"""Answers that are kept: what a prompt may say of that, and which request has which answer.

Pure. What is kept is an output that fitted its schema, never an error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.domain import ids
from shared.domain.durations import Seconds
from shared.domain.envelope import ModelRequest
from shared.domain.model import Declared, Json
from shared.domain.recording import Record, Tokens

LARGEST = 400_000  # characters of an output that is kept
# What a request holds that is not sent, or says nothing.
_NOT_ASKED = {"labels", "keep_for", "context_for", "context"}


class Cache(Declared):
    """Answers are kept, and given to equal requests."""

    ttl: Seconds = Field(description="How long an answer is good, e.g. 1h.")


def answer_path(key: str) -> str:
    return f"cache/{key}"


def key_of(request: ModelRequest, prompt_version: str) -> str:
    """What a request's answer is found by: its prompt, its model, and all that it asks."""
    asked: dict[str, Any] = request.model_dump(mode="json", exclude=_NOT_ASKED)
    return f"{prompt_version}-{ids.content_hash(asked)}"


class AnswerRecord(Record):
    """`cache/{prompt version}-{digest of the request}`: the output of the step that asked first."""

    JSON_FIELDS = frozenset({"output"})

    output: Json
    model: str | None
    prompt: str
    tokens: Tokens
    run_id: str
    step: str
    at: datetime
    expire_at: datetime
