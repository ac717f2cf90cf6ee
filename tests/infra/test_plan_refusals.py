"""A bad stage table, or a variable that does not go with it: refused, and told what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.domain.stages import Stage
from tests.infra.planning import PLAN, needs_terraform, refusal, shipped_table

pytestmark = needs_terraform

ROWS: dict[str, dict[str, Any]] = {
    "act": {"timeout": "700s", "budget": "80 minutes", "publishes": ["nowhere"]},
    "bury": {"max_attempts": 200, "colour": "red", "min_instances": 30},
    "compose": {"budget": "55s", "cpu": "0.5", "filter": "f" * 300},
    "generate": {"ack_deadline": "601s", "memory": "16Gi", "retry": {"min": "9m", "max": "1m"}},
    "ingest": {"topic": "events", "data": ["no/such/folder"], "timeout": None},
    "route": {"trigger": "queue", "cpu": "3"},
    "sweep": {"schedule": "hourly", "timeout": "61s", "retry": {"max": "700s"}},
}
TOLD = (
    'stage act: budget is "80 minutes": a duration is a number and a unit',
    "stage act: timeout is 700s: Pub/Sub waits at most 600s for a push to be answered: lower it",
    "stage act: publishes to nowhere, which no stage reads: it must be one of",
    "stage bury: max_attempts is 200: it must be a whole number from 5 to 100",
    "stage bury: unknown key `colour`: it is none of ack_deadline, budget",
    "stage bury: min_instances is 30 and max_instances 20: lower the one or raise the other",
    "stage compose: budget is 55s and timeout 55s: lower the budget below the timeout",
    "stage compose: concurrency is 80 with cpu 0.5: less than one CPU serves one request at a time",
    "stage compose: filter has 388 bytes with that of a priority: Pub/Sub takes 256",
    "stage generate: ack_deadline is 601s: Pub/Sub takes 10s to 600s",
    "stage generate: memory is 16Gi with cpu 1: that many CPUs go with 128Mi to 4096Mi",
    "stage generate: retry.min is 540s and retry.max 60s: lower the one or raise the other",
    "stage ingest: `topic` says nothing for a stage with trigger http: leave it out",
    "stage ingest: `timeout` is missing: a stage with trigger http needs it",
    "stage ingest: its bundle is to have no/such/folder, in which there is nothing",
    'stage route: trigger is "queue": it must be http, topic or dead-letters',
    'stage route: cpu is "3": Cloud Run takes 1, 2, 4, 6, 8, or 0.08 to less than 1',
    'schedule segue-sweep: "hourly" is no cron line: it has five fields',
    "stage sweep: timeout is 61s and ack_deadline 60s: raise ack_deadline to the timeout or more",
    "stage sweep: `retry.min` is missing: retry needs min and max",
    "stage sweep: retry.max is 700s: Pub/Sub takes 0s to 600s",
    "stage_overrides: there is no stage rout: it must be one of act, bury",
    "secrets: no stage takes SEGUE_COLOUR: it must be one of",
    "secrets: SEGUE_SLACK_TOKEN must have either `version`",
    "environment: SEGUE_DATABASE follows from the deployment's own variables: leave it out",
    "environment: SEGUE_SMTP_URL is a secret and would be readable",
    "environment: PATH does not begin with SEGUE_",
    "environment: SEGUE_PROMPT_REGISTRY is langfuse for functions that have no keys",
    "langfuse: its secret key is missing: name LANGFUSE_SECRET_KEY in `secrets`",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that is said about a table in which every stage is wrong."""
    table = shipped_table()
    for name, change in ROWS.items():
        table["stages"][name] |= change
    return refusal(
        tmp_path_factory.mktemp("refused"),
        table,
        environment={
            "PATH": "/",
            "SEGUE_DATABASE": "x",
            "SEGUE_PROMPT_REGISTRY": "langfuse",
            "SEGUE_SMTP_URL": "smtp://x",
        },
        langfuse={"host": "https://lf.example", "public_key": "pk", "refresh_seconds": 5},
        secrets={"SEGUE_COLOUR": {"version": 1}, "SEGUE_SLACK_TOKEN": {}},
        stage_overrides={"rout": {"cpu": "2"}},
    )


@pytest.mark.parametrize("sentence", TOLD)
def test_everything_that_is_wrong_is_told_at_once(told: str, sentence: str) -> None:
    assert sentence in told


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "there is no stage under `stages`"),
        ({"prefix": "segue", "stages": {"route": None}}, 'stage route: trigger is ""'),
        ({"prefix": "Segue", "stages": ["route"]}, 'prefix "Segue": use 1 to 20 of a-z'),
        ({"prefix": "segue", "stages": {"a-b": {}}}, "stage a-b: a stage is called by its Python"),
        (
            {"prefix": "x" * 20, "stages": {"elevenletters": {}}},
            "34 characters, and 30 are allowed",
        ),
    ],
)
def test_a_table_that_is_none_is_told_so(
    tmp_path: Path, table: dict[str, Any], sentence: str
) -> None:
    assert sentence in refusal(tmp_path, table)


def test_every_key_that_the_stages_read_is_known_to_the_plan() -> None:
    text = (PLAN / "problems.tf").read_text("utf-8")
    known = text[text.index("_keys = [") : text.index("]", text.index("_keys = ["))]
    assert {word.strip(' ",\n') for word in known.removeprefix("_keys = [").split(",")} - {""} == (
        set(Stage.model_fields) - {"name"}
    )
