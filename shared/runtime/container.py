"""The composition root: the only place that picks adapters for the ports.

Imports are made where a stage needs them, so that no stage loads what only another one uses.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from shared.adapters.json_telemetry import JsonTelemetry
from shared.adapters.system_clock import SystemClock
from shared.delivery.deps import Deps
from shared.prompting.library import read_prices
from shared.prompting.versions import FlowVersions
from shared.runtime.settings import Settings, settings
from shared.runtime.stage_table import read_stages
from shared.runtime.watched_library import library_reader

if TYPE_CHECKING:
    from shared.ports import Bus, Effects, Model, Store


_ADAPTERS = ("shared.adapters.firestore_store", "shared.adapters.pubsub_bus")
_EXTRA_ADAPTERS = {
    "model": "shared.adapters.gemini_model",
    "actions": "shared.adapters.outside_effects",
}


def preload(stage: str) -> None:
    """Reads the settings and imports the adapters that a stage will need; builds no client.

    Raises SettingsInvalidError: a wrong deployment fails at its start, not with its first message.
    """
    settings()
    row = read_stages().stages[stage]
    for module in (*_ADAPTERS, *(_EXTRA_ADAPTERS[extra] for extra in row.extras)):
        import_module(module)


@lru_cache(maxsize=16)
def deps_of(stage: str) -> Deps:
    """The stage's dependencies, built once; clients are bound to the running event loop."""
    return build_deps(stage, settings())


def build_deps(stage: str, chosen: Settings) -> Deps:
    """Dependencies of a stage under given settings."""
    row = read_stages().stages[stage]
    store = _store(chosen)
    return Deps(
        stage=row,
        store=store,
        bus=_bus(chosen),
        clock=SystemClock(),
        telemetry=JsonTelemetry(chosen.project),
        flows=FlowVersions(library_reader(chosen.prompts, reload=chosen.reload), store),
        new_token=lambda: secrets.token_hex(8),
        retention=timedelta(days=chosen.retention_days),
        model=_model(chosen) if "model" in row.extras else None,
        effects=_effects(chosen) if "actions" in row.extras else None,
        gate=chosen.gate(),
    )


def _store(chosen: Settings) -> Store:
    from google.cloud.firestore import AsyncClient  # noqa: PLC0415 - see the module's docstring

    from shared.adapters.firestore_store import FirestoreStore  # noqa: PLC0415

    return FirestoreStore(AsyncClient(project=chosen.project, database=chosen.database))


def _bus(chosen: Settings) -> Bus:
    from google.pubsub_v1 import PublisherAsyncClient  # noqa: PLC0415

    from shared.adapters.pubsub_bus import PubSubBus  # noqa: PLC0415

    return PubSubBus(PublisherAsyncClient(), chosen.project, chosen.prefix)


def _model(chosen: Settings) -> Model:
    from shared.adapters.gemini_model import GeminiModel, build_client  # noqa: PLC0415

    key = chosen.gemini_api_key if chosen.uses_api_key else None
    client = build_client(
        project=chosen.project,
        location=chosen.location,
        api_key=key.get_secret_value() if key else None,
        base_url=None if key else chosen.vertex_base_url,
        local=chosen.vertex_base_url is not None,
    )
    return GeminiModel(client, read_prices(chosen.prompts))


def _effects(chosen: Settings) -> Effects:
    from shared.adapters.outside_effects import build_effects  # noqa: PLC0415

    return build_effects(
        slack_token=chosen.slack_token.get_secret_value() if chosen.slack_token else None,
        slack_url=chosen.slack_base_url,
        smtp_url=chosen.smtp_url.get_secret_value() if chosen.smtp_url else None,
        email_from=chosen.email_from,
    )
