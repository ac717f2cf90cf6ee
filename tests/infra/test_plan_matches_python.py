"""What Terraform plans is what the local engines run: one table, read by two."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.bundle import bundle_files, bundle_hash
from emulator.topology import Subscription, topology
from shared.domain.flow import ScheduleTrigger
from shared.domain.starts.schedules import CHECKS, Schedule, check_message, tick
from shared.prompting.library import read_library
from shared.runtime.settings import ROOT, Settings
from shared.runtime.stage_table import StageTable, read_stages
from tests.infra.planning import INFRA, needs_terraform, planned, shipped_table

pytestmark = needs_terraform

INDEX_FILE = INFRA / "indexes.yaml"
ACTION_SECRETS = {"SEGUE_SLACK_TOKEN", "SEGUE_SMTP_URL"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of the shipped table, with every secret that it names."""
    table = shipped_table()
    secrets = {name for row in table["stages"].values() for name in row.get("secrets", ())}
    return planned(
        tmp_path_factory.mktemp("plan"),
        table,
        secrets={name: {"existing": "elsewhere"} for name in secrets},
        langfuse={"host": "https://lf.example", "public_key": "pk", "refresh_seconds": 60},
    )


def assert_same_topology(plan: Any, table: StageTable) -> None:
    here = topology(table, "")
    assert plan["topics"] == list(here.topics)
    there = [
        Subscription(**{**row, "push_to": row["push_to"] and f"/{row['push_to']}"})
        for row in plan["subscriptions"]
    ]
    assert sorted(there, key=repr) == sorted(here.subscriptions, key=repr)


def test_topics_and_subscriptions_are_the_same(plan: Any) -> None:
    assert_same_topology(plan, read_stages())


def test_filters_and_ordering_are_the_same_down_to_the_name(tmp_path: Path) -> None:
    table = copy.deepcopy(shipped_table())
    table["stages"]["route"] |= {
        "filter": 'attributes.tenant = "zoë"',
        "retry": {"min": "500ms", "max": "1m"},
    }
    table["stages"]["act"] |= {"ordering": True}
    table["stages"]["compose"] |= {"filter": "attributes:x", "ordering": True}
    assert table["stages"]["compose"]["priorities"]
    file = tmp_path / "stages.yaml"
    file.write_text(yaml.safe_dump(table), "utf-8")
    here = read_stages(file)
    assert_same_topology(planned(tmp_path, table), here)
    names = {s.name for s in topology(here, "").subscriptions}
    assert not names & {"segue-route", "segue-act", "segue-compose"}


def test_a_stage_has_the_same_numbers(plan: Any) -> None:
    for name, stage in read_stages().stages.items():
        row = plan["stages"][name]
        assert float(row["cpu"]) == float(stage.cpu)
        for number in ("budget", "timeout", "concurrency", "min_instances", "max_instances"):
            assert row[number] == getattr(stage, number), f"{name}.{number}"
        assert (row["memory"], row["stores"]) == (stage.memory, stage.stores)
        assert (row["public"], row["deletes"]) == (stage.public, stage.deletes)


@pytest.mark.parametrize("stage", sorted(read_stages().stages))
def test_a_bundle_has_the_same_files_and_the_same_hash(plan: Any, stage: str) -> None:
    bundle = plan["bundles"][stage]
    here = {name: file.relative_to(ROOT).as_posix() for name, file in bundle_files(stage).items()}
    assert bundle["files"] == here
    assert bundle["hash"] == bundle_hash(stage)


def test_who_may_publish_is_who_says_so(plan: Any) -> None:
    table = read_stages()
    expected: dict[str, set[str]] = {topic: set() for topic in topology(table, "").topics}
    for name, stage in table.stages.items():
        own = [stage.dead_letter_topic] if stage.trigger != "http" else []
        for topic in (*stage.publishes, *own):
            expected[f"{table.prefix}-{topic}"].add(name)
    assert {topic: set(stages) for topic, stages in plan["publishers"].items()} == expected


def test_only_generate_may_ask_a_model(plan: Any) -> None:
    assert [name for name, row in plan["stages"].items() if row["uses_model"]] == ["generate"]


def test_only_act_reads_the_secrets_of_actions(plan: Any) -> None:
    readers = {stage for stage, names in plan["secrets"].items() if ACTION_SECRETS & set(names)}
    assert readers == {"act"}
    named = {name: set(stage.secrets) for name, stage in read_stages().stages.items()}
    assert {name: set(names) for name, names in plan["secrets"].items()} == named


def test_only_what_opens_runs_reads_prompts_of_langfuse(plan: Any) -> None:
    opening = [name for name, stage in read_stages().stages.items() if stage.reads_library]
    key = "LANGFUSE_SECRET_KEY"
    assert [stage for stage, names in plan["secrets"].items() if key in names] == opening
    told = [name for name, row in plan["stages"].items() if "LANGFUSE_HOST" in row["environment"]]
    assert told == opening
    for name in opening:
        environment = plan["stages"][name]["environment"]
        chosen = Settings.model_validate({**environment, key: "sk"})
        assert (chosen.prompt_registry, chosen.prompts_refresh) == ("langfuse", 60)
        assert (chosen.langfuse_host, chosen.langfuse_public_key) == ("https://lf.example", "pk")


def test_only_what_authenticates_itself_is_public(plan: Any) -> None:
    assert {name for name, row in plan["stages"].items() if row["public"]} == {"ingest", "console"}


def test_what_takes_events_from_outside_stores_nothing(plan: Any) -> None:
    assert [name for name, row in plan["stages"].items() if not row["stores"]] == ["ingest"]


def test_the_console_alone_knows_who_its_callers_are_and_sends_only_commands(plan: Any) -> None:
    tokens = "SEGUE_CONSOLE_TOKENS"
    assert [stage for stage, names in plan["secrets"].items() if tokens in names] == ["console"]
    assert [t for t, stages in plan["publishers"].items() if "console" in stages] == [
        "segue-events"
    ]


def test_every_index_of_the_embedded_engine_is_planned(plan: Any) -> None:
    declared = yaml.safe_load(INDEX_FILE.read_text("utf-8"))
    composites = [
        index
        for index in declared["indexes"]
        if len(index["fields"]) > 1 or "vector" in index["fields"][0]
    ]
    assert len(plan["indexes"]) == len(composites)
    for index in composites:
        paths = [field["path"] for field in index["fields"]]
        assert any(
            row["collection"] == index["collection"]
            and [field["path"] for field in row["fields"]] == paths
            for row in plan["indexes"].values()
        )


def test_every_exemption_and_expiry_of_the_embedded_engine_is_planned(plan: Any) -> None:
    declared = yaml.safe_load(INDEX_FILE.read_text("utf-8"))
    fields = plan["fields"]
    expiring = {f"{name}/{declared['ttl']['field']}" for name in declared["ttl"]["collections"]}
    assert {name for name, field in fields.items() if field["expires"]} == expiring
    exempt = {f"{name}/{path}" for name, paths in declared["unindexed"].items() for path in paths}
    assert {name for name, field in fields.items() if field["indexes"] == []} == exempt


def test_every_shipped_schedule_publishes_here_what_it_publishes_there(plan: Any) -> None:
    """Terraform reads YAML 1.1: `yes` in a schedule's data is true there, unless it is quoted."""
    scheduled = {
        f"segue-flow-{name}": version.flow.on.schedule
        for name, version in read_library(ROOT / "prompts").flows.items()
        if isinstance(version.flow.on, ScheduleTrigger)
    }
    jobs = {name: job for name, job in plan["schedules"].items() if "-flow-" in name}
    assert set(jobs) == set(scheduled)
    for name, schedule in scheduled.items():
        assert json.loads(base64.b64decode(jobs[name]["data"])) == schedule.data
        assert jobs[name]["cron"] == schedule.cron


def test_a_scheduled_flow_is_a_job_that_publishes_its_tick(tmp_path: Path) -> None:
    schedule = {"cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "data": {"m": [1, "zwei"]}}
    table = shipped_table() | {"bundle": {}}
    root = tmp_path / "root"
    for name, row in table["stages"].items():
        row.pop("data", None)
        (root / "functions" / name).mkdir(parents=True)
        for file in ("main.py", "requirements.txt"):
            (root / "functions" / name / file).touch()
    flows = root / "prompts" / "flows"
    flows.mkdir(parents=True)
    flow = {"flow": "digest", "on": {"schedule": schedule}, "steps": {}}
    # `on` as people write it, without quotes; YAML 1.1 takes that for true.
    (flows / "digest.yaml").write_text(yaml.safe_dump(flow).replace("'on'", "on"), "utf-8")
    (flows / "quoted.yaml").write_text(json.dumps({**flow, "flow": "quoted"}), "utf-8")
    (flows / "joke.yaml").write_text("flow: joke\non: {event: joke.requested}\n", "utf-8")
    jobs = planned(tmp_path, table, root=str(root))["schedules"]
    flows = {"segue-flow-digest", "segue-flow-quoted"}
    assert set(jobs) == {"segue-sweep", "segue-schedules", *flows}
    expected = tick("digest", Schedule.model_validate(schedule))
    job = jobs["segue-flow-digest"]
    assert job["attributes"] == expected.attributes
    assert json.loads(base64.b64decode(job["data"])) == json.loads(expected.data)
    assert (job["cron"], job["time_zone"]) == ("0 9 * * 1-5", "Europe/Berlin")
    assert job["topic"] == f"{table['prefix']}-events"
    check = jobs["segue-schedules"]
    assert check["attributes"] == check_message().attributes
    assert base64.b64decode(check["data"]) == check_message().data
    assert (check["cron"], check["topic"]) == (CHECKS, job["topic"])
