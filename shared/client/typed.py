"""How a typed flow is started by its class. Decides what event that is; sends nothing."""

from __future__ import annotations

from typing import Any

from shared.client.errors import EventRefusedError
from shared.typed.flow import Flow
from shared.typed.shapes import FlowShape

_WILD = frozenset("*?[")


def start_of_class(flow: type[Flow[Any, Any]], data: Any) -> tuple[str, str | None]:
    """(name, event type) of the flow; no type where it takes many. Raises EventRefusedError."""
    shape: FlowShape = flow.shape
    if not isinstance(data, shape.start):
        told = f"{shape.title} is started with {shape.start.__name__}"
        raise EventRefusedError(f"{told}, and this is {type(data).__name__}")
    return shape.name, shape.on if _WILD.isdisjoint(shape.on) else None
