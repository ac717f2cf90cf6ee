"""Typed flows. Each module here is imported when the stage starts, and its flows are registered.

The graph of each is also in `prompts/flows`, where `segue flows compile` writes it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from shared.typed.discovery import register_flows_of

for _module in iter_modules(__path__, f"{__name__}."):
    register_flows_of(import_module(_module.name))
