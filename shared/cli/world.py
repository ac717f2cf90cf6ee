"""What the CLI talks to, and what is declared on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.calls import registered_names
from shared.client.connection import NothingRunningError, environment_at_hand
from shared.delivery.deps import Deps
from shared.domain.agents.tool import ToolVersion
from shared.ports import Model, StageReport
from shared.prompting.library import Library, read_library
from shared.runtime.container import (
    build_operator_deps,
    build_operator_model,
    build_vertex_prompts,
)
from shared.runtime.settings import settings
from shared.tools import registered_tools
from shared.typed.calling import AnyFlow, registered_flows

if TYPE_CHECKING:
    from shared.adapters.vertex_prompts import VertexPrompts


def connect() -> Deps:
    """Ports on the system at hand.

    Raises NothingRunningError where none can be told, SystemGoneError where it is no more,
    CloudLoginError.
    """
    os.environ.update(environment_at_hand({}))
    settings.cache_clear()
    return replace(build_operator_deps(settings()), telemetry=_Unheard())


def connect_model() -> Model:
    """The model of the system at hand; without a system the one that the environment names.

    Raises NothingRunningError where neither is there, CloudLoginError.
    """
    try:
        os.environ.update(environment_at_hand({}))
        settings.cache_clear()
    except NothingRunningError:
        if settings().model == "auto" and not settings().uses_api_key:
            raise
    return build_operator_model(settings())


def connect_vertex(location: str | None) -> VertexPrompts:
    """The prompts that Vertex AI keeps for the project that the environment names.

    Raises ProjectMissingError, CloudLoginError.
    """
    return build_vertex_prompts(settings(), location)


class _Unheard:
    """Implements `Telemetry`: what a command did, it says itself, and standard output is its own.

    So a run that a redrive finds at its end ends without a line.
    """

    def report(self, report: StageReport) -> None: ...

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None: ...

    async def flush(self) -> None: ...


def library() -> Library:
    """Prompts and flows on disk, checked against the registered functions too."""
    typed_flows()
    return read_library(settings().prompts, registered_names())


def typed_flows() -> Mapping[str, AnyFlow]:
    """The flows that are Python classes, by name. Raises FlowInvalidError, FlowNameTakenError."""
    import functions.act.calls  # noqa: PLC0415 - registers; only checking needs it
    import functions.act.flows  # noqa: F401, PLC0415 - the same

    return registered_flows()


def python_tools() -> Mapping[str, ToolVersion]:
    """The tools that are Python functions, by name. Raises ToolDeclarationError."""
    import functions.act.tools  # noqa: F401, PLC0415 - registers them

    return registered_tools()
