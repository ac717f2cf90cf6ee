"""The composition root: the only place that picks adapters for the ports.

Imports are made where a stage needs them, so that no stage loads what only another one uses.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.adapters.json_telemetry import JsonTelemetry
from shared.adapters.python_logging import take_over
from shared.adapters.system_clock import SystemClock
from shared.delivery.deps import Deps
from shared.domain.budgets.prices import PriceTable
from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.domain.stages import Stage
from shared.prompting.library import NO_LIBRARY, PRICES, Library, read_prices
from shared.prompting.quota_file import QUOTAS, read_quotas
from shared.prompting.versions import FlowVersions
from shared.runtime.settings import LOCAL_PROJECT, ROOT, Settings, settings
from shared.runtime.stage_table import read_stages
from shared.runtime.watched_library import library_reader

if TYPE_CHECKING:
    from google import genai

    from shared.adapters.firestore_store import FirestoreStore
    from shared.adapters.mcp_servers import McpServers
    from shared.adapters.pubsub_bus import PubSubBus
    from shared.adapters.vertex_prompts import VertexPrompts
    from shared.ports import (
        Bus,
        Clock,
        Effects,
        Embedder,
        Model,
        Objects,
        PromptRegistry,
        Store,
        Telemetry,
    )
    from shared.prompting.resolving import Resolver


_ADAPTERS = ("shared.adapters.firestore_store", "shared.adapters.pubsub_bus")
_EXTRA_ADAPTERS = {
    "model": "shared.adapters.gemini_model",
    "actions": "shared.adapters.outside_effects",
    "mcp": "shared.adapters.mcp_servers",
}
_SPANS = "shared.adapters.span_telemetry"


def preload(stage: str) -> None:
    """Reads the settings and imports the adapters that a stage will need; builds no client.

    Raises SettingsInvalidError: a wrong deployment fails at its start, not with its first message.
    """
    chosen = settings()
    row = read_stages().stages[stage]
    for module in (*_ADAPTERS, *(_EXTRA_ADAPTERS[extra] for extra in row.extras)):
        import_module(module)
    if chosen.spans_to is not None:
        import_module(_SPANS)


@lru_cache(maxsize=16)
def deps_of(stage: str) -> Deps:
    """The stage's dependencies, built once; clients are bound to the running event loop.

    By then everybody has configured `logging` who will: from here on its records are log lines.
    """
    chosen = settings()
    take_over(_lines(chosen), chosen.log_level)
    return build_deps(stage, chosen)


def build_deps(stage: str, chosen: Settings) -> Deps:
    """Dependencies of a stage under given settings."""
    row = read_stages().stages[stage]
    store, telemetry = _store(chosen), _telemetry(row, chosen)
    return Deps(
        stage=row,
        store=store,
        objects=_objects(chosen),
        bus=_bus(chosen),
        clock=SystemClock(),
        telemetry=telemetry,
        flows=FlowVersions(_library(row, chosen), store),
        new_token=lambda: secrets.token_hex(8),
        retention=timedelta(days=chosen.retention_days),
        **(_models(chosen) if "model" in row.extras else {}),
        resolver=_resolver(row, chosen, store, telemetry),
        quotas=_quotas(chosen) if "model" in row.extras else NO_QUOTAS,
        effects=_effects(chosen) if "actions" in row.extras else None,
        servers=build_servers(chosen) if "mcp" in row.extras else None,
        gate=chosen.gate(),
        callers=chosen.callers(),
        payload_bucket=chosen.bucket_in_use,
    )


@dataclass(frozen=True)
class ClientPorts:
    """What a program outside of the stages is given. `close` ends its connections."""

    store: Store
    bus: Bus
    clock: Clock
    flows: FlowVersions
    close: Callable[[], Awaitable[None]]


def build_client_ports(chosen: Settings) -> ClientPorts:
    """For the running event loop; flows are read from disk when somebody asks for one.

    Raises CloudLoginError where there is no login.
    """
    with _login_told():
        store, bus = _store(chosen), _bus(chosen)

    async def close() -> None:
        await store.close()
        await bus.close()

    # It reads nothing before it is asked, and lives long enough to see files change.
    flows = FlowVersions(library_reader(chosen.prompts, reload=True), store)
    return ClientPorts(store, bus, SystemClock(), flows, close)


def build_embedder(chosen: Settings) -> Embedder:
    """What `segue collections search` asks. Raises CloudLoginError where there is no login."""
    with _login_told():
        embedder: Embedder = _models(chosen)["embedder"]
        return embedder


def build_operator_deps(chosen: Settings) -> Deps:
    """What `segue` works with. Raises CloudLoginError where there is no login."""
    with _login_told():
        return build_deps("route", chosen)


def build_operator_model(chosen: Settings) -> Model:
    """The model that a person asks. Raises CloudLoginError where there is no login."""
    with _login_told():
        model: Model = _models(chosen)["model"]
        return model


def build_vertex_prompts(chosen: Settings, location: str | None) -> VertexPrompts:
    """What `segue prompts push --to vertex` asks, in a region: there are no datasets in `global`.

    Raises ProjectMissingError, CloudLoginError.
    """
    from shared.adapters.vertex_session import vertex_prompts  # noqa: PLC0415

    own = chosen.location if chosen.location != "global" else "us-central1"
    project = chosen.project if chosen.project != LOCAL_PROJECT else None
    with _login_told():
        return vertex_prompts(project, location or own, chosen.vertex_base_url)


@contextmanager
def _login_told() -> Iterator[None]:
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - see the module's docstring

    from shared.adapters.cloud_log_errors import CloudLoginError  # noqa: PLC0415

    try:
        yield
    except GoogleAuthError as error:
        raise CloudLoginError(str(error)) from error


def _library(row: Stage, chosen: Settings) -> Callable[[], Library]:
    """Only a stage that opens runs reads flows and prompts from disk; so it is locally too, where
    the files are there for all of them.
    """
    if row.reads_library:
        return library_reader(chosen.prompts, reload=chosen.reload)
    return lambda: NO_LIBRARY


def _resolver(row: Stage, chosen: Settings, store: Store, telemetry: Telemetry) -> Resolver | None:
    """Only a stage that opens runs chooses versions of prompts for them."""
    if not row.reads_library or chosen.prompt_registry == "none":
        return None
    from shared.prompting.resolving import Resolver  # noqa: PLC0415 - see the module's docstring

    return Resolver(_registry(row, chosen, store), telemetry, every=chosen.prompts_refresh)


def _registry(row: Stage, chosen: Settings, store: Store) -> PromptRegistry:
    if chosen.prompt_registry != "langfuse":
        from shared.prompting.registry import StoredPrompts  # noqa: PLC0415

        return StoredPrompts(store)
    public, secret = chosen.langfuse_public_key, chosen.langfuse_secret_key
    assert public is not None
    assert secret is not None
    from shared.adapters.langfuse_prompts import LangfusePrompts  # noqa: PLC0415

    library, keys = _library(row, chosen), (public, secret.get_secret_value())
    return LangfusePrompts(chosen.langfuse_host, keys, lambda: library().prompts)


def _prices(chosen: Settings) -> PriceTable:
    """Those beside the prompts that were named; else those of the bundle."""
    named = (chosen.prompts / PRICES).is_file()
    return read_prices(chosen.prompts if named else ROOT / "prompts")


def _quotas(chosen: Settings) -> Quotas:
    """Those beside the prompts that were named; else those of the bundle."""
    named = (chosen.prompts / QUOTAS).is_file()
    return read_quotas(chosen.prompts if named else ROOT / "prompts")


def _telemetry(row: Stage, chosen: Settings) -> Telemetry:
    """Log lines, and spans where a collector is set: no span library is imported without one."""
    lines = _lines(chosen)
    if chosen.spans_to is None:
        return lines
    from shared.adapters.span_telemetry import build_span_telemetry  # noqa: PLC0415
    from shared.adapters.spans import Source  # noqa: PLC0415

    source = Source(
        name=f"{chosen.prefix}-{row.name}",
        project=chosen.project,
        topic=f"{chosen.prefix}-{row.topic}" if row.topic else None,
        service=chosen.service,
        revision=chosen.revision,
    )
    return build_span_telemetry(lines, source, chosen.spans_to, chosen.trace_sample)


def _lines(chosen: Settings) -> JsonTelemetry:
    exported = chosen.trace_sample if chosen.spans_to is not None else 0
    return JsonTelemetry(chosen.project, spans=exported)


def _store(chosen: Settings) -> FirestoreStore:
    from google.cloud.firestore import AsyncClient  # noqa: PLC0415 - see the module's docstring

    from shared.adapters.firestore_store import FirestoreStore  # noqa: PLC0415

    return FirestoreStore(AsyncClient(project=chosen.project, database=chosen.database))


def _objects(chosen: Settings) -> Objects:
    from shared.adapters.gcs_objects import GcsObjects  # noqa: PLC0415

    return GcsObjects(chosen.project)


def _bus(chosen: Settings) -> PubSubBus:
    from google.pubsub_v1 import PublisherAsyncClient  # noqa: PLC0415

    from shared.adapters.pubsub_bus import PubSubBus  # noqa: PLC0415

    return PubSubBus(PublisherAsyncClient(), chosen.project, chosen.prefix)


def _models(chosen: Settings) -> dict[str, Any]:
    """The model, the embedder and what keeps contexts, on one client."""
    from shared.adapters.gemini_contexts import GeminiContexts  # noqa: PLC0415
    from shared.adapters.gemini_embedder import GeminiEmbedder  # noqa: PLC0415
    from shared.adapters.gemini_model import GeminiModel  # noqa: PLC0415

    client, prices = _model_client(chosen), _prices(chosen)
    kinds = {"model": GeminiModel, "embedder": GeminiEmbedder, "contexts": GeminiContexts}
    return {name: kind(client, prices) for name, kind in kinds.items()}


def _model_client(chosen: Settings) -> genai.Client:
    from shared.adapters.gemini_model import build_client  # noqa: PLC0415

    key = chosen.gemini_api_key if chosen.uses_api_key else None
    return build_client(
        project=chosen.project,
        location=chosen.location,
        api_key=key.get_secret_value() if key else None,
        base_url=None if key else chosen.vertex_base_url,
        local=chosen.vertex_base_url is not None,
    )


def build_servers(chosen: Settings) -> McpServers:
    """The declared MCP servers; their file is read when one is called."""
    from shared.adapters.mcp_servers import McpServers  # noqa: PLC0415
    from shared.prompting.tool_servers import read_servers  # noqa: PLC0415

    return McpServers(lambda: read_servers(chosen.prompts), os.environ)


def _effects(chosen: Settings) -> Effects:
    from shared.adapters.outside_effects import build_effects  # noqa: PLC0415

    return build_effects(
        slack_token=chosen.slack_token.get_secret_value() if chosen.slack_token else None,
        slack_url=chosen.slack_base_url,
        smtp_url=chosen.smtp_url.get_secret_value() if chosen.smtp_url else None,
        email_from=chosen.email_from,
    )
