"""The one table of stages agrees with the folders, and keeps within the platform's limits."""

from __future__ import annotations

import ast
import re

import pytest

from emulator.topology import topology
from shared.domain.stages import Stage
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

TABLE = read_stages()
STAGES = list(TABLE.stages.values())
FUNCTIONS = ROOT / "functions"
MAIN_LINES = 25


def by_name(stage: Stage) -> str:
    return stage.name


def test_the_table_and_the_folders_name_the_same_stages() -> None:
    folders = {path.parent.name for path in FUNCTIONS.glob("*/main.py")}
    assert folders == set(TABLE.stages)


@pytest.mark.parametrize("stage", STAGES, ids=by_name)
@pytest.mark.parametrize("file", ["__init__.py", "main.py", "handler.py", "requirements.txt"])
def test_every_stage_has_its_files(stage: Stage, file: str) -> None:
    assert (FUNCTIONS / stage.name / file).is_file()


@pytest.mark.parametrize("stage", STAGES, ids=by_name)
def test_an_entry_point_is_short_and_named_after_its_stage(stage: Stage) -> None:
    text = (FUNCTIONS / stage.name / "main.py").read_text("utf-8")
    assert len(text.splitlines()) <= MAIN_LINES
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.AsyncFunctionDef)]
    assert [function.name for function in functions] == [stage.name]
    decorators = [ast.unparse(decorator) for decorator in functions[0].decorator_list]
    assert decorators == ["functions_framework.aio.http"]


@pytest.mark.parametrize("stage", STAGES, ids=by_name)
def test_a_stage_publishes_only_to_topics_that_exist(stage: Stage) -> None:
    topics = {topic.removeprefix(f"{TABLE.prefix}-") for topic in topology(TABLE, "").topics}
    assert set(stage.publishes) <= topics


@pytest.mark.parametrize("stage", STAGES, ids=by_name)
def test_secrets_are_variables_that_the_settings_read(stage: Stage) -> None:
    settings = (ROOT / "shared/runtime/settings.py").read_text("utf-8")
    for secret in stage.secrets:
        assert f'validation_alias="{secret}"' in settings


def test_the_prefix_can_begin_every_name() -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,30}", TABLE.prefix)


def test_only_the_sweeper_works_alone() -> None:
    alone = [stage.name for stage in STAGES if stage.max_instances == 1]
    assert alone == [stage.name for stage in STAGES if stage.concurrency == 1] == ["sweep"]
