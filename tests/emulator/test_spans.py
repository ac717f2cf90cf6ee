"""Spans of a running system: what the stages tell a collector is what they write to their log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from emulator.engine_choice import EngineName
from emulator.system import LocalSystem, Options
from shared.cli.traces import read_entries
from tests.emulator.harness import Harness
from tests.otlp_receiver import Receiver, Span, receiving, root_of

TICKET = {"id": "T-5", "from": "li@example.com", "body": "The export fails with the error s3cret."}


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_a_run_is_one_tree_of_the_spans_that_its_log_lines_name(
    receiver: Receiver, tmp_path: Path
) -> None:
    options = Options(
        directory=tmp_path / "state",
        engine=EngineName.EMBEDDED,
        extra_environment={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url},
    )
    async with LocalSystem(options) as state:
        harness = Harness(state, tmp_path)
        headers = {"ce-type": "support.ticket.created", "ce-id": "e5"}
        answer = await harness.post("/events", json.dumps(TICKET).encode(), headers)
        assert answer.status_code == 202
        run = await harness.only_run("e5")
        assert run["status"] == "succeeded", run
        spans = await told(run, receiver, harness)
        await harness.close()

    assert root_of(spans).name == "ingest"
    attempts = attempts_of(spans)
    assert {span.resource["service.name"] for span in attempts.values()} == {
        f"segue-{stage}" for stage in ("ingest", "route", "compose", "generate", "act")
    }
    calls = [span for span in spans if span.id not in attempts]
    assert len(calls) == run["totals"]["llm_calls"] == 2
    for call in calls:
        assert attempts[call.parent].attributes["segue.stage"] == "generate"
        assert call.attributes["gen_ai.usage.output_tokens"] > 0
        assert call.attributes["gen_ai.provider.name"] == "gcp.vertex_ai"
    tokens = sum(call.attributes["gen_ai.usage.input_tokens"] for call in calls)
    assert tokens == run["totals"]["tokens"]["input"]
    assert b"s3cret" not in b"".join(receiver.bodies)


async def told(run: dict[str, Any], receiver: Receiver, harness: Harness) -> list[Span]:
    """The run's spans, once there is one for each of its log lines.

    That a run has ended is recorded before the spans of its last attempts are out.
    """
    steps = {name for name, step in run["steps"].items() if step["status"] == "succeeded"}

    async def look() -> list[Span] | None:
        logged = {
            entry.span_id
            for entry in read_entries(Path(harness.state.log))
            if entry.labels.get("correlation_id") == run["correlation_id"]
        }
        spans = [span for span in receiver.spans if span.trace == trace_of(receiver.spans)]
        done = {span.attributes.get("segue.step") for span in spans}
        return spans if logged == attempts_of(spans).keys() and steps <= done else None

    return await harness.eventually(look, "a span for each line of the log")


def trace_of(spans: list[Span]) -> str | None:
    """The trace that a request to `ingest` began."""
    return next((span.trace for span in spans if span.name == "ingest"), None)


def attempts_of(spans: list[Span]) -> dict[str, Span]:
    return {span.id: span for span in spans if "segue.stage" in span.attributes}
