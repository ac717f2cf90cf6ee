"""The table of stages: read once, and its mistakes told with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SourceInvalidError
from shared.runtime.stage_table import read_stages

TABLE = """\
prefix: mine
bundle:
  folders: [shared]
stages:
  act:
    trigger: topic
    topic: act
    budget: 50s
    timeout: 55s
    ack_deadline: 60s
    retry: {min: 1s, max: 60s}
    max_attempts: 20
    memory: 512Mi
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "stages.yaml"
    path.write_text(text, "utf-8")
    return path


def test_rows_carry_their_names(tmp_path: Path) -> None:
    table = read_stages(written(tmp_path, TABLE))
    assert table.prefix == "mine"
    assert {name: stage.name for name, stage in table.stages.items()} == {"act": "act"}


def test_the_shipped_table_is_the_default() -> None:
    assert {"ingest", "route", "compose", "generate", "act", "bury"} <= set(read_stages().stages)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("memory: 512Mi", "memory: 512MB", "stages.yaml:13: String should match"),
        ("budget: 50s", "budget: soon", "stages.yaml:8: Value error, a duration is a number"),
        ("max_attempts: 20", "max_attempts: 3", "stages.yaml:12: Input should be greater"),
        ("topic: act", "colour: red", "stages.yaml:7: Extra inputs are not permitted"),
        ("budget: 50s", "budget: 56s", "stages.yaml:5: Value error, act: budget must be below"),
        ("retry: {min: 1s, max", "retry: {min: 1w, max", "stages.yaml:11: Value error, a duration"),
        ("topic: act", "topic: act\n    topic: b", "stages.yaml:8: 'topic' is there twice"),
        ("prefix: mine", "prefix: [", "not valid YAML"),
        ("folders: [shared]", "folder: shared", "stages.yaml:3: Extra inputs are not"),
        ("[shared]", "[../shared]", "stages.yaml:3: String should match"),
        ("memory: 512Mi", "memory: 1Gi\n    data: [/etc]", "stages.yaml:14: String should match"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    with pytest.raises(SourceInvalidError) as caught:
        read_stages(written(tmp_path, TABLE.replace(before, after)))
    assert told in caught.value.detail
