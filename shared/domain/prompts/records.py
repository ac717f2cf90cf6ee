"""What the prompt registry keeps in Firestore: heads with labels, versions, and who moved what."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from shared.domain.prompts.refs import document_id
from shared.domain.recording import Record
from shared.domain.version import PromptVersion

HEADS = "prompts"


def head_path(name: str) -> str:
    return f"{HEADS}/{document_id(name)}"


def versions_of(name: str) -> str:
    """The collection of a prompt's versions."""
    return f"{head_path(name)}/versions"


def version_path(name: str, number: int) -> str:
    return f"{versions_of(name)}/{number}"


def moves_of(name: str) -> str:
    """The collection of the moves of a prompt's labels."""
    return f"{head_path(name)}/moves"


def move_path(name: str, number: int) -> str:
    return f"{moves_of(name)}/{number}"


class PromptHead(Record):
    """`prompts/{name}`: the latest version, how often labels were moved, and where they are."""

    name: str
    latest: int = 0
    moves: int = 0
    labels: dict[str, int] = Field(default_factory=dict)
    changed_at: datetime


class PushedPrompt(Record):
    """`prompts/{name}/versions/{number}`: never changed. `hash` is that of the content."""

    JSON_FIELDS = frozenset({"prompt"})

    name: str
    number: int
    hash: str
    prompt: PromptVersion
    message: str = ""
    pushed_by: str
    pushed_at: datetime


class LabelMove(Record):
    """`prompts/{name}/moves/{number}`: a label went from version `before` to `version`.

    None is where the label was not set, and the bundled copy served. `is_rollback`: it went back
    to where it was before an earlier move.
    """

    number: int
    label: str
    version: int | None
    before: int | None
    by: str
    at: datetime
    is_rollback: bool = False
