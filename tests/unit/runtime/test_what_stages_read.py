"""The composition root: which stage reads what from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.adapters.langfuse_prompts import LangfusePrompts
from shared.errors import SettingsInvalidError
from shared.prompting.library import NO_LIBRARY
from shared.prompting.registry import StoredPrompts
from shared.runtime.container import _library, _prices, _registry, _resolver
from shared.runtime.settings import Settings, read_settings
from shared.runtime.stage_table import read_stages
from shared.testing.memory import MemoryStore, RecordingTelemetry

_LINES = RecordingTelemetry()
STAGES = read_stages().stages
PRICES = """\
as_of: 2026-01-01
source: a test
models:
  mine:
    rate: {input: 1, output: 2, cached: 0}
"""


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name a folder with one flow."""
    (tmp_path / "flows").mkdir()
    flow = "flow: mine\non: {event: t}\nsteps:\n  a: {call: crm.find}\n"
    (tmp_path / "flows" / "mine.yaml").write_text(flow, "utf-8")
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    return Settings()


@pytest.mark.parametrize("reload", [False, True])
def test_only_route_reads_flows_from_the_folder_that_is_named(
    chosen: Settings, *, reload: bool
) -> None:
    settings = chosen.model_copy(update={"reload": reload})
    found = {name: set(_library(row, settings)().flows) for name, row in STAGES.items()}
    assert found == {name: {"mine"} if name == "route" else set() for name in STAGES}


def test_the_others_look_at_no_disk(chosen: Settings) -> None:
    nowhere = chosen.model_copy(update={"prompts": None})
    assert _library(STAGES["compose"], nowhere)() is NO_LIBRARY


def test_only_route_chooses_versions_of_prompts_and_may_be_told_not_to(chosen: Settings) -> None:
    def found(settings: Settings) -> set[str]:
        resolvers = {n: _resolver(r, settings, MemoryStore(), _LINES) for n, r in STAGES.items()}
        return {name for name, resolver in resolvers.items() if resolver is not None}

    assert found(chosen) == {"route"}
    assert found(chosen.model_copy(update={"prompt_registry": "none"})) == set()


def test_langfuse_needs_its_keys(chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_PROMPT_REGISTRY", "langfuse")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    with pytest.raises(SettingsInvalidError, match="LANGFUSE_SECRET_KEY"):
        read_settings()
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    route = STAGES["route"]
    assert isinstance(_registry(route, read_settings(), MemoryStore()), LangfusePrompts)
    assert isinstance(_registry(route, chosen, MemoryStore()), StoredPrompts)


def test_prices_are_those_of_the_folder_that_is_named(chosen: Settings) -> None:
    (chosen.prompts / "prices.yaml").write_text(PRICES, "utf-8")
    assert set(_prices(chosen).models) == {"mine"}


def test_prices_are_the_bundles_where_the_folder_has_none(chosen: Settings) -> None:
    assert "gemini-2.5-flash" in _prices(chosen).models
