"""The composition root: which stage reads what from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.library import NO_LIBRARY
from shared.runtime.container import _library, _prices
from shared.runtime.settings import Settings
from shared.runtime.stage_table import read_stages

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


def test_prices_are_those_of_the_folder_that_is_named(chosen: Settings) -> None:
    (chosen.prompts / "prices.yaml").write_text(PRICES, "utf-8")
    assert set(_prices(chosen).models) == {"mine"}


def test_prices_are_the_bundles_where_the_folder_has_none(chosen: Settings) -> None:
    assert "gemini-2.5-flash" in _prices(chosen).models
