"""Finds the typed flows of a module, so that nobody has to list them."""

from __future__ import annotations

from types import ModuleType

from shared.typed.calling import register
from shared.typed.flow import Flow


def register_flows_of(module: ModuleType) -> None:
    """Registers every flow that the module defines. Raises FlowNameTakenError."""
    for found in vars(module).values():
        is_flow = isinstance(found, type) and issubclass(found, Flow)
        if is_flow and found.__module__ == module.__name__:
            register(found)
