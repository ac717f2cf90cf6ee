"""What the agents of a run tell one another: `runs/{run_id}/blackboard/{key}`, and its tools.

The tools are built in: a flow names them like others, and nobody registers them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator

from shared.domain.agents.tool import ToolVersion
from shared.domain.events import is_shallow
from shared.domain.model import Json, Wire
from shared.domain.recording import Record

BUILT_IN = "segue"  # source of tools that come with the system
MAX_ENTRIES = 50
MAX_VALUE_BYTES = 16 * 1024
KEPT_CALLS = 100  # of those that wrote an entry: a repetition of one of them writes nothing
_SHOWN_BYTES = 1024  # of a value, where all entries are read
_KEY = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"

Key = Annotated[str, Field(pattern=_KEY, description="Letters, digits, _ . and -")]


class _Arguments(Wire):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadArguments(_Arguments):
    """Of `blackboard_read`."""

    key: Key | None = None


class WriteArguments(_Arguments):
    """Of `blackboard_write`."""

    key: Key
    value: Json

    @field_validator("value")
    @classmethod
    def _fits(cls, value: Json) -> Json:
        size = len(json.dumps(value, ensure_ascii=False).encode())
        if size > MAX_VALUE_BYTES:
            raise ValueError(f"this has {size:,} bytes; the limit is {MAX_VALUE_BYTES:,}")
        if not is_shallow(value):
            raise ValueError("this is nested too deep")
        return value


class BoardEntry(Record):
    """An entry. by: the step that wrote it last, and as whom. calls: those that wrote it."""

    JSON_FIELDS = frozenset({"value"})

    key: str
    value: Json
    by: str
    at: datetime
    calls: tuple[str, ...] = ()
    expire_at: datetime

    def shown(self, *, whole: bool = True) -> dict[str, Json]:
        """What is told of it; of a long value, where it is not told `whole`, how long it is."""
        size = len(json.dumps(self.value, ensure_ascii=False).encode())
        value: dict[str, Json] = {"value": self.value}
        if size > _SHOWN_BYTES and not whole:
            value = {"bytes": size}
        return {**value, "by": self.by, "at": self.at.isoformat().replace("+00:00", "Z")}


def board_of(run_id: str) -> str:
    """The collection of a run's entries."""
    return f"runs/{run_id}/blackboard"


def _schema(required: list[Json], **properties: Json) -> dict[str, Json]:
    about: dict[str, Json] = {"type": "object", "properties": properties}
    return {**about, "required": required, "additionalProperties": False}


_KEYED: Json = {"type": "string", "pattern": _KEY, "description": "What the entry is called."}
READ = ToolVersion(
    name="blackboard_read",
    description="What is on the blackboard that all agents of this work share: the entry of a key"
    " with who wrote it, or without a key all entries, long ones without their values.",
    parameters=_schema([], key=_KEYED),
    effect="pure",
    source=BUILT_IN,
)
WRITE = ToolVersion(
    name="blackboard_write",
    description="Puts an entry on the blackboard that all agents of this work share, in place of"
    f" what is there under the key. At most {MAX_VALUE_BYTES // 1024} KiB.",
    parameters=_schema(["key", "value"], key=_KEYED, value={"description": "Any JSON value."}),
    effect="keyed",
    source=BUILT_IN,
)
BUILT_IN_TOOLS: Mapping[str, ToolVersion] = {tool.name: tool for tool in (READ, WRITE)}
