"""The published schemas are current, and say of flow files what the loader says of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.domain.flow import Flow
from shared.prompting.prompt_file import SUFFIX
from shared.prompting.schemas import FOLDER, schema_texts
from shared.prompting.source import read_yaml
from shared.runtime.settings import ROOT

PROMPTS = ROOT / "prompts"
SCHEMAS: dict[str, dict[str, Any]] = {
    name: json.loads(text) for name, text in schema_texts().items()
}
FLOW: dict[str, Any] = {
    "flow": "f",
    "description": "d",
    "on": {"event": "t.*", "where": "true"},
    "input": {"type": "object"},
    "timeout": "10m",
    "steps": {
        "a": {"prompt": "p", "with": {"x": [1, {"y": None}]}, "timeout": "1.5h"},
        "b": {"action": "log.write", "needs": "a", "when": "a.ok"},
        "c": {"call": "x.y", "needs": ["a", "b"]},
    },
    "outputs": {"o": "{{ a.text }}"},
}


def complaints(schema: str, value: object) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[schema]).iter_errors(value)]


def changed(path: str, value: object) -> dict[str, Any]:
    """The flow with one key changed."""
    flow: dict[str, Any] = json.loads(json.dumps(FLOW))
    *parents, last = path.split("/")
    inner = flow
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return flow


@pytest.mark.parametrize("name", sorted(schema_texts()))
def test_the_published_schema_is_current(name: str) -> None:
    written = (FOLDER / name).read_text("utf-8")
    assert written == schema_texts()[name], "run `python -m shared.prompting.schemas`"


def test_nothing_else_is_published() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_that_editors_can_use(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]
    assert "$id" not in schema
    assert "discriminator" not in json.dumps(schema)
    assert "oneOf" not in json.dumps(schema)


@pytest.mark.parametrize("path", sorted((PROMPTS / "flows").glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_flows_fit_the_schema(path: Any) -> None:
    text = path.read_text("utf-8")
    assert complaints("flow.schema.json", read_yaml(text, path.name).data) == []
    assert "$schema=../schemas/flow.schema.json" in text


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(PROMPTS.rglob(f"*{SUFFIX}")) if "_partials" not in p.parts],
    ids=lambda p: p.name,
)
def test_shipped_prompt_heads_fit_the_schema(path: Any) -> None:
    head = path.read_text("utf-8").split("---\n")[1]
    assert complaints("prompt.schema.json", read_yaml(head, path.name).data) == []


def test_a_flow_with_everything_in_it_fits() -> None:
    assert complaints("flow.schema.json", FLOW) == []
    Flow.model_validate(FLOW)


def test_a_schedule_with_everything_in_it_fits() -> None:
    schedule = {"cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "data": {"report": "daily"}}
    flow = changed("on", {"schedule": schedule, "where": "true"})
    assert complaints("flow.schema.json", flow) == []
    Flow.model_validate(flow)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("colour", "red"),
        ("on/were", "x"),
        ("steps/a/neds", "b"),
        ("steps/a/arguments", {}),
        ("steps/a/action", "log.write"),
        ("steps/a", {}),
        ("steps/a", {"needs": "b"}),
        ("steps/a", "log.write"),
        ("steps", {}),
        ("flow", "Not A Name"),
        ("timeout", "soon"),
        ("timeout", "10 minutes"),
        ("steps/a/timeout", "10"),
        ("steps/b/needs", {"a": 1}),
        ("steps/b/when", True),
        ("on", "t"),
        ("on", {}),
        ("on", {"where": "true"}),
        ("on/schedule", {"cron": "0 9 * * *"}),
        ("on", {"schedule": "0 9 * * *"}),
        ("on", {"schedule": {"time_zone": "UTC"}}),
        ("on", {"schedule": {"cron": "0 9 * * *", "timezone": "UTC"}}),
        ("on", {"schedule": {"cron": "0 9 * * *", "data": "x"}}),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses_too(path: str, value: object) -> None:
    flow = changed(path, value)
    assert complaints("flow.schema.json", flow)
    with pytest.raises(ValidationError):
        Flow.model_validate(flow)


@pytest.mark.parametrize("missing", ["flow", "on", "steps"])
def test_what_a_flow_must_have_the_schema_demands(missing: str) -> None:
    flow = {name: value for name, value in FLOW.items() if name != missing}
    assert complaints("flow.schema.json", flow)
