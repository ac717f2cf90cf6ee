"""A flow with every kind of link, and how to make others, and reports of their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.version import FlowVersion

Flows = Callable[..., FlowVersion]
Reports = Callable[..., dict[str, Any]]


@pytest.fixture
def flows() -> Flows:
    """Makes a version of flow `f`: steps by name, each with what it says besides its action."""

    def flow(steps: dict[str, Any], **more: Any) -> FlowVersion:
        log = {"action": "log.write", "with": {"message": "m"}}
        declared = {name: {**log, **step} for name, step in steps.items()}
        fields = {"flow": "f", "on": {"event": "order.placed"}, "steps": declared, **more}
        return FlowVersion.model_validate({"flow": fields})

    return flow


@pytest.fixture
def branching(flows: Flows) -> FlowVersion:
    """Splits and joins, goes on at `fix` where `pay` fails, and may end early at `tell`."""
    steps = {
        "check": {},
        "pay": {"needs": "check", "on_error": {"goto": "fix"}, "timeout": "90s"},
        "fix": {},
        "gift": {"needs": "check", "when": "event.data.total > 100"},
        "tell": {"needs": ["pay", "fix", "gift"], "join": "any", "finish": True},
        "rest": {"needs": "tell", "on_error": "continue"},
    }
    return flows(steps, outputs={"paid": "{{ pay }}"}, timeout="10m")


@pytest.fixture
def reports() -> Reports:
    """Makes a report of a run of a flow: statuses by step, and what more is told of a step."""

    def report(
        version: FlowVersion, statuses: dict[str, str], status: str, **told: dict[str, Any]
    ) -> dict[str, Any]:
        steps = {
            name: {"status": statuses.get(name, "pending"), "attempts": 0, **told.get(name, {})}
            for name in version.flow.steps
        }
        return {
            "run_id": "f-1",
            "flow": "f",
            "flow_version": version.version,
            "status": status,
            "event": {"id": "e-1", "type": "order.placed"},
            "created_at": "2026-01-01T08:00:00Z",
            "finished_at": None if status in {"running", "waiting"} else "2026-01-01T08:00:02Z",
            "error": None,
            "steps": steps,
            "totals": {"llm_calls": 0, "tokens": {"input": 0, "output": 0}, "cost_usd": 0.0},
        }

    return report
