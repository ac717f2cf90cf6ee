"""Metrics, alerts and the dashboard speak of what the stages really write, and of each other.

Terraform evaluates the definitions (they need no provider); the log lines are those of a pipeline
in memory, so that neither side is written down here a second time.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.topology import BURY, topology
from shared.adapters.json_telemetry import JsonTelemetry
from shared.delivery.stage import HTTP_STATUS
from shared.domain.records import RunStatus
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import System, flow, prompt
from tests.infra.planning import needs_terraform, run

DEFINITIONS = ROOT / "infra/modules/operations/definitions"
pytestmark = needs_terraform

NUMBER = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
FLOW = flow(
    """
    a: {prompt: sort}
    b: {needs: a, call: test.count, with: {name: b, value: "{{ a.n }}"}}
    """,
    prompt("sort", "Sort it.", output=NUMBER),
)
Defined = Mapping[str, Any]
Entries = list[dict[str, Any]]
LIMITS = {"labels": 10, "name": 100, "filter": 20_000, "description": 8_000}


def inputs() -> dict[str, Any]:
    """The real stages, and an objective that the runs of this file miss."""
    table = read_stages()
    plan = topology(table, "http://front")
    pushed = [(s.push_to or "", s.name, s.topic) for s in plan.subscriptions if s.push_to]
    stages = {
        name: {
            "budget": stage.budget,
            "function": f"{table.prefix}-{name}",
            "subscriptions": [
                own for to, own, topic in pushed if to.endswith(f"/{name}") and "-dead" not in topic
            ],
            "dead_letter_subscription": f"{table.prefix}-{stage.dead_letter_topic}"
            if stage.trigger == "topic"
            else None,
        }
        for name, stage in table.stages.items()
    }
    return {
        "alerts": {"run_latency_seconds": 1},
        "parked_subscription": f"{table.prefix}-{BURY}-dead",
        "prefix": table.prefix,
        "project_id": "my-project",
        "region": "us-central1",
        "stages": stages,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The definitions, initialised."""
    into = tmp_path_factory.mktemp("definitions")
    shutil.copytree(
        DEFINITIONS, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*")
    )
    run(into, "init", "-backend=false")
    return into


@pytest.fixture(scope="module")
def defined(folder: Path) -> dict[str, Any]:
    """Output -> value."""
    variables = folder / "inputs.json"
    variables.write_text(json.dumps(inputs()), "utf-8")
    state = folder / "applied.tfstate"
    run(folder, "apply", "-auto-approve", f"-var-file={variables}", f"-state={state}")
    found = json.loads(run(folder, "output", "-json", f"-state={state}"))
    return {name: output["value"] for name, output in found.items()}


@pytest.fixture
async def entries() -> Entries:
    """Log entries of a run that succeeds after a repair, of one that fails, and of a tick."""
    system = System([FLOW], model=ScriptedModel({"sort": ["not json", {"n": 1}]}))
    await system.start()
    calls.BROKEN.add("b")
    await system.start()
    calls.BROKEN.clear()
    await system.send("sweep", b"{}", {})
    await system.run()
    return written(system)


def written(system: System) -> Entries:
    """All that a system has told, as Cloud Logging has it."""
    told = system.world.telemetry
    out = io.StringIO()
    telemetry = JsonTelemetry("my-project", out)
    for report in told.reports:
        telemetry.report(report)
    for severity, message, fields in told.lines:
        telemetry.log(severity, message, **fields)
    return [entry(json.loads(line)) for line in out.getvalue().splitlines()]


def entry(line: Mapping[str, Any]) -> dict[str, Any]:
    """As https://cloud.google.com/logging/docs/structured-logging moves its parts."""
    payload = {name: value for name, value in line.items() if "googleapis.com/" not in name}
    return {
        "labels": line.get("logging.googleapis.com/labels", {}),
        "jsonPayload": {
            name: value for name, value in payload.items() if name not in {"severity", "time"}
        },
    }


def field(found: Mapping[str, Any], path: str) -> Any:
    """The value at a path of the logging query language, None where there is none."""
    value: Any = found
    for part in re.findall(r'"[^"]+"|[^.]+', path):
        value = value.get(part.strip('"')) if isinstance(value, Mapping) else None
    return value


def matches(found: Mapping[str, Any], condition: str) -> bool:
    """The few operators that the metrics use: any other is an error."""
    parsed = re.fullmatch(r'(.+?)(=|>|:)(\*|"[^"]*"|[\d.]+)', condition)
    assert parsed is not None, condition
    path, operator, operand = parsed.groups()
    value = field(found, path)
    if operator == ":":
        assert operand == "*", condition
        return value is not None
    if operator == "=":
        return bool(value == json.loads(operand))
    return isinstance(value, int | float) and value > float(operand)


def counted(metric: Mapping[str, Any], entries: Entries) -> Entries:
    """The entries that a metric counts; which services it is limited to is another test."""
    conditions = [one for one in metric["filter"].splitlines() if not one.startswith("resource.")]
    return [one for one in entries if all(matches(one, condition) for condition in conditions)]


def extracted(found: Mapping[str, Any], extractor: str) -> Any:
    path = re.fullmatch(r"EXTRACT\((.+)\)", extractor)
    assert path is not None, extractor
    return field(found, path[1])


# -- metrics against the log -------------------------------------------------------------------


async def test_every_metric_counts_lines_and_finds_its_labels_and_its_value(
    defined: Defined, entries: Entries
) -> None:
    for name, metric in defined["metrics"].items():
        lines = counted(metric, entries)
        assert lines, f"{name} counts nothing"
        for label, detail in metric["labels"].items():
            assert any(extracted(one, detail["extractor"]) for one in lines), f"{name}: {label}"
        if metric["value_extractor"]:
            values = [extracted(one, metric["value_extractor"]) for one in lines]
            assert all(isinstance(value, int | float) for value in values), f"{name}: {values}"


async def test_the_sum_of_a_distribution_is_the_quantity(
    defined: Defined, entries: Entries
) -> None:
    def total(name: str) -> float:
        metric = defined["metrics"][name]
        values = (extracted(one, metric["value_extractor"]) for one in counted(metric, entries))
        return float(sum(values))

    assert total("model_calls") == 3  # one was repaired
    assert total("repair_turns") == 1
    assert total("input_tokens") > 0
    assert total("cost_usd") == pytest.approx(
        (total("input_tokens") + total("output_tokens")) * 1e-6
    )


async def test_counters_count_runs_and_letters_once(defined: Defined, entries: Entries) -> None:
    runs = {name: len(counted(metric, entries)) for name, metric in defined["metrics"].items()}
    assert (runs["runs_started"], runs["runs_ended"], runs["dead_letters"]) == (2, 2, 1)
    ended = [
        field(one, "labels.status") for one in counted(defined["metrics"]["runs_ended"], entries)
    ]
    assert sorted(ended) == ["failed", "succeeded"]
    assert runs["runs_late"] == 2  # the objective of this file is a second


def test_metrics_are_limited_to_the_services_of_this_deployment(defined: Defined) -> None:
    services = sorted(stage["function"] for stage in inputs()["stages"].values())
    for metric in defined["metrics"].values():
        resource = [one for one in metric["filter"].splitlines() if one.startswith("resource.")]
        named = " OR ".join(f'"{service}"' for service in services)
        assert resource == [
            'resource.type="cloud_run_revision"',
            'resource.labels.location="us-central1"',
            f"resource.labels.service_name=({named})",
        ]


def test_metrics_keep_within_the_limits_of_cloud_logging(defined: Defined) -> None:
    """https://cloud.google.com/logging/docs/logs-based-metrics/labels and LogMetric's reference."""
    for metric in defined["metrics"].values():
        for part, most in LIMITS.items():
            assert 0 < len(metric[part]) <= most
        assert (metric["value_type"] == "DISTRIBUTION") == (metric["buckets"] is not None)


# -- queries against the metrics ---------------------------------------------------------------


def queries(defined: Defined) -> list[str]:
    """All PromQL, of alerts and of the dashboard."""
    tiles = json.dumps(defined["dashboard"])
    quoted = re.findall(r'"prometheusQuery": ("(?:[^"\\]|\\.)*")', tiles)
    return [alert["query"] for alert in defined["alerts"].values()] + list(map(json.loads, quoted))


OURS = re.compile(r"logging_googleapis_com:user_(\w+)\{([^}]*)\}")
PLATFORM_LABELS = {"le", "monitored_resource", "service_name", "state", "subscription_id"}


def series(defined: Defined) -> dict[str, set[str]]:
    """Series in PromQL -> its labels. A distribution has three."""
    found = {}
    for metric in defined["metrics"].values():
        base = re.sub(r"\W", "_", metric["name"])
        is_counter = metric["value_type"] == "INT64"
        for suffix in [""] if is_counter else ["_sum", "_count", "_bucket"]:
            found[base + suffix] = set(metric["labels"])
    return found


def test_queries_ask_for_metrics_and_labels_that_are_defined(defined: Defined) -> None:
    known = series(defined)
    asked = set()
    for query in queries(defined):
        grouped = {
            g.strip() for names in re.findall(r"by \(([^)]*)\)", query) for g in names.split(",")
        }
        there = set(PLATFORM_LABELS)
        for name, matchers in OURS.findall(query):
            assert name in known, query
            asked.add(name)
            there |= known[name]
            labels = set(re.findall(r"(\w+)[=!]", matchers))
            assert labels - PLATFORM_LABELS <= known[name], query
            assert 'monitored_resource="cloud_run_revision"' in matchers
        assert grouped <= there, query
    stems = {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked}
    metrics = {re.sub(r"\W", "_", metric["name"]) for metric in defined["metrics"].values()}
    assert metrics <= stems | asked, "a metric that nobody looks at"


def test_values_that_queries_ask_for_are_written(defined: Defined) -> None:
    """A status, disposition or stage that no line has would make an alert that never fires."""
    known = {
        "status": {status.value for status in RunStatus if status.is_final},
        "disposition": set(HTTP_STATUS),
        "stage": set(read_stages().stages),
    }
    for query in queries(defined):
        for _, matchers in OURS.findall(query):
            for label, value in re.findall(r'(\w+)!?="([^"]*)"', matchers):
                assert value in known.get(label, {value}), query


def test_subscriptions_are_watched_and_so_are_those_that_they_replaced(defined: Defined) -> None:
    pushed = [s.name for s in topology(read_stages(), "http://front").subscriptions if s.push_to]
    watched = re.search(r'subscription_id=~"([^"]+)"', defined["alerts"]["backlog"]["query"])
    assert watched is not None
    for name in (*pushed, f"{read_stages().prefix}-route-0123abcd"):
        assert re.fullmatch(watched[1], name)
    for name in (inputs()["parked_subscription"], "another-route"):
        assert not re.fullmatch(watched[1], name)


# -- alerts and the dashboard ------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """Of the headings of a Markdown file, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_alert_has_its_section_in_the_runbook(defined: Defined) -> None:
    sections = anchors((ROOT / "infra/README.md").read_text("utf-8"))
    wanted = {alert["anchor"] for alert in defined["alerts"].values()}
    assert wanted <= sections
    assert {one for one in sections if one.startswith("alert-")} == wanted


def test_the_runbook_counts_what_is_there(defined: Defined) -> None:
    counts = f"| {len(defined['metrics'])}, 1, {len(defined['alerts'])} |"
    assert counts in (ROOT / "infra/README.md").read_text("utf-8")


def test_every_alert_says_what_it_means_and_what_to_do(defined: Defined) -> None:
    for alert in defined["alerts"].values():
        for word in ("**What it means.**", "**First.**", f"#{alert['anchor']}"):
            assert word in alert["documentation"]
        assert alert["severity"] in {"CRITICAL", "ERROR", "WARNING"}
        assert int(alert["duration"].removesuffix("s")) % 60 == 0
        assert int(alert["evaluation_interval"].removesuffix("s")) % 30 == 0


def test_tiles_of_the_dashboard_cover_its_grid_and_each_other_nowhere(defined: Defined) -> None:
    layout = defined["dashboard"]["mosaicLayout"]
    taken: set[tuple[int, int]] = set()
    for tile in layout["tiles"]:
        assert len(set(tile["widget"]) - {"title"}) == 1
        assert tile["widget"]["title"]
        assert 0 <= tile["xPos"] <= tile["xPos"] + tile["width"] <= layout["columns"] == 48
        cells = {
            (x, y)
            for x in range(tile["xPos"], tile["xPos"] + tile["width"])
            for y in range(tile["yPos"], tile["yPos"] + tile["height"])
        }
        assert not cells & taken
        taken |= cells
    height = max(y for _, y in taken) + 1
    assert len(taken) == 48 * height


def test_thresholds_that_make_no_sense_are_refused(folder: Path) -> None:
    run(folder, "test")
