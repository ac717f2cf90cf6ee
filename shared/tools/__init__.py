"""Python functions that models may call: `@tool` registers one, `invoke` calls it by name."""

from __future__ import annotations

from shared.tools.calling import invoke, probe
from shared.tools.context import Happened, NotHappened, Records, ToolContext
from shared.tools.records import StoredRecords
from shared.tools.registry import Tool, make, registered_tools, replaced, tool

__all__ = [
    "Happened",
    "NotHappened",
    "Records",
    "StoredRecords",
    "Tool",
    "ToolContext",
    "invoke",
    "make",
    "probe",
    "registered_tools",
    "replaced",
    "tool",
]
