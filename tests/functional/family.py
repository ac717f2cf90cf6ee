"""A flow that opens children, the children, and what the tests of them want to know."""

from __future__ import annotations

from typing import Any

from shared.domain.records import RunRecord
from shared.domain.version import FlowVersion
from shared.testing.pipeline import Waiting
from tests.functional.system import System, flow


def leaf(name: str = "leaf", step: str = "", more: str = "") -> FlowVersion:
    """A child that doubles `n`, and fails while it is broken."""
    step = step or "{call: test.count, with: {name: leaf, value: '{{ event.data.n * 2 }}'}}"
    return flow(
        f"work: {step}", name=name, more=f"on: call\noutputs: {{n: '{{{{ work }}}}'}}\n{more}"
    )


def parent(step: str, more: str = "outputs: {n: '{{ kid.n }}'}", others: str = "") -> FlowVersion:
    before = "before: {call: test.count, with: {name: before, value: 4}}"
    return flow(f"{before}\nkid: {{needs: before, {step}}}\n{others}", more=more)


PARENT = parent("flow: leaf, with: {n: '{{ before }}'}")


def child_of(system: System, flow_name: str = "leaf") -> RunRecord:
    [found] = [run for run in system.stored("runs", RunRecord) if run.flow == flow_name]
    return found


def run_of(system: System, flow_name: str = "thing") -> RunRecord:
    return child_of(system, flow_name)


async def steps(system: System, flow_name: str = "thing") -> dict[str, Any]:
    found: dict[str, Any] = (await system.report(run_of(system, flow_name).run_id))["steps"]
    return found


async def sweep(system: System, seconds: int = 0) -> None:
    system.world.clock.advance(seconds)
    await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()


def type_of(waiting: Waiting) -> str | None:
    """The type of the event in a message."""
    return waiting.message.attributes.get("ce-type")


LATER = "retry: {attempts: 9, backoff: {initial: 1h, max: 1h}}"
SLOW = leaf(step=f"{{call: test.count, with: {{name: leaf}}, {LATER}}}")


def later(what: str) -> str:
    """A step that is ten minutes later."""
    return f"pause: {{wait: {{for: duration, duration: 10m}}}}\nlast: {{needs: pause, {what}}}"


MID = flow("kid: {flow: leaf}", name="mid", more="on: call")
