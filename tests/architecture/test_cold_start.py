"""What a cold start imports: each stage from its own bundle, with its own packages and no more.

Counts modules instead of seconds: a count does not depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from emulator.bundle import build_bundle
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

STAGES = sorted(read_stages().stages)
# Modules after start-up: measured, and a twentieth more so that a patch release of a dependency
# passes. A stage that outgrows its budget has begun to import something: find out what, and whether
# the stage needs it before its first request, before raising the number.
BUDGET = {
    "act": 1333,  # measured 1270: it has the typed flows
    "bury": 1241,  # measured 1182
    "compose": 1249,  # measured 1190
    "console": 1262,  # measured 1202
    "generate": 1386,  # measured 1320
    "ingest": 1242,  # measured 1183
    "route": 1268,  # measured 1208
    "sweep": 1263,  # measured 1203
}
SPANS = 90  # more where a collector is set; measured 85
NOBODY = (
    "vertexai",
    "mcp",  # the first call of a tool of a server loads it
    "google.cloud.logging",
    "google.cloud.storage",  # a large payload loads it
    "google.cloud.pubsub_v1",  # the high-level client: a thread per topic, and slower to import
    "google.cloud.aiplatform",
    "typer",
    "rich",
    "pytest",
    "emulator",
    "shared.testing",
    "shared.cli",
    "shared.client",
)
ONLY = {
    "google.genai": {"generate"},
    "aiosmtplib": {"act"},
    "httpx": {"act"},
}
# Starts a function as functions-framework does, in a world where only the stage's packages exist.
_START = """
import json, sys
stage, missing = sys.argv[1], frozenset(json.loads(sys.argv[2]))

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"{name} is not in requirements.txt", name=name)

sys.meta_path.insert(0, Missing())
import functions_framework
functions_framework.create_app(stage, "main.py")
import shared
print(json.dumps([shared.__file__, sorted(sys.modules)]))
"""
Start = Callable[..., frozenset[str]]


def not_installed(stage: str) -> list[str]:
    """Top-level modules of this environment that the deployed stage will not have."""
    lines = (ROOT / "functions" / stage / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if "==" in line}
    bundled = {"functions", "shared", "prompts", "main"}
    return sorted(
        module
        for module, distributions in packages_distributions().items()
        if module not in bundled
        and not any(name.lower().replace("_", "-") in pinned for name in distributions)
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """The modules a stage has imported when it is ready for its first request."""
    folder = tmp_path_factory.mktemp("bundles")

    @cache
    def started(stage: str, collector: str = "") -> frozenset[str]:
        bundle: Path = build_bundle(stage, folder / stage)
        done = subprocess.run(
            [sys.executable, "-c", _START, stage, json.dumps(not_installed(stage))],
            cwd=bundle,
            env={
                "PYTHONPATH": str(bundle),
                "PATH": "",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        library, modules = json.loads(done.stdout.splitlines()[-1])
        assert Path(library).is_relative_to(bundle)
        return frozenset(modules)

    return started


@pytest.mark.parametrize("stage", STAGES)
def test_a_bundle_starts_with_nothing_but_its_own_packages(stage: str, start: Start) -> None:
    assert f"functions.{stage}.handler" in start(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_stays_within_its_budget_of_modules(stage: str, start: Start) -> None:
    assert len(start(stage)) <= BUDGET[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_loads_what_none_needs(stage: str, start: Start) -> None:
    assert start(stage).isdisjoint(NOBODY)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("module", sorted(ONLY))
def test_what_one_stage_needs_the_others_do_not_load(stage: str, module: str, start: Start) -> None:
    assert (module in start(stage)) is (stage in ONLY[module])


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_loads_another(stage: str, start: Start) -> None:
    others = {name for name in start(stage) if name.startswith("functions.")}
    assert {name.split(".")[1] for name in others} == {stage}


@pytest.mark.parametrize("stage", STAGES)
def test_adapters_are_loaded_before_the_first_request(stage: str, start: Start) -> None:
    loaded = start(stage)
    assert {"shared.adapters.firestore_store", "shared.adapters.pubsub_bus"} <= loaded
    assert ("shared.adapters.gemini_model" in loaded) is (stage == "generate")
    assert ("shared.adapters.outside_effects" in loaded) is (stage == "act")


@pytest.mark.parametrize("stage", STAGES)
def test_no_span_library_is_loaded_where_no_collector_is_set(stage: str, start: Start) -> None:
    """Google's clients look for `opentelemetry` and so load its namespace, which is empty."""
    assert [name for name in start(stage) if name.startswith("opentelemetry.")] == []


def test_the_span_library_is_loaded_at_start_where_a_collector_is_set(start: Start) -> None:
    loaded = start("route", "http://127.0.0.1:9")
    assert {"shared.adapters.span_telemetry", "opentelemetry.sdk.trace"} <= loaded
    assert len(loaded - start("route")) <= SPANS
