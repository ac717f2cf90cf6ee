"""Prefixes of requests that a model keeps: what a prompt may say of that, and what is known of one.

Pure. The prefix is the system instruction and the tools, which all requests of a prompt begin with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.domain import ids
from shared.domain.durations import Seconds
from shared.domain.envelope import ModelRequest
from shared.domain.model import Declared
from shared.domain.recording import Record

# No model keeps fewer than 1,024 tokens, and no token is shorter than a byte.
# Source: https://ai.google.dev/gemini-api/docs/caching
_SMALLEST = 1024


class ContextCache(Declared):
    """The model keeps what the prompt's requests begin with."""

    ttl: Seconds = Field(ge=300, description="How long it is kept, e.g. 1h; at least 5m.")


def is_worth_keeping(request: ModelRequest) -> bool:
    """Whether the prefix may be long enough for some model. The model's API has the last word."""
    return most_prefix(request) >= _SMALLEST


def most_prefix(request: ModelRequest) -> int:
    """Tokens that the prefix has at most: its bytes."""
    texts = [request.system or "", *(tool.model_dump_json() for tool in request.tools)]
    return sum(len(text.encode(errors="replace")) for text in texts)


def context_path(request: ModelRequest) -> str:
    """Of equal prefixes for the same model it is the same, whatever prompt they are of."""
    prefix: dict[str, Any] = request.model_dump(mode="json", include={"model", "system", "tools"})
    return f"context_caches/{ids.content_hash(prefix)}"


class ContextRecord(Record):
    """`context_caches/{digest of model and prefix}`: holds until `expire_at`, for all instances.

    name: of the cache, as the model's API has it. None: one is being made, or none can be had.
    run_id, step: who made it, or tried to.
    """

    model: str
    name: str | None = None
    tokens: int = 0
    run_id: str
    step: str
    at: datetime
    expire_at: datetime
