"""An agent that has a flow as a tool, the flow, and a model that asks for it."""

from __future__ import annotations

from typing import Any

from shared.domain.records import RunRecord, StepRecord
from shared.domain.version import FlowVersion
from shared.prompting.fitting import with_inputs
from tests.functional.agents import HELPER, TOOLS_KNOWN, asks
from tests.functional.family import LATER, leaf, run_of
from tests.functional.system import System, flow, prompt

INPUT = "input: {type: object, required: [n], properties: {n: {type: integer}}}"
WORKER = leaf("worker", more=INPUT)
SLOW_WORKER = leaf("worker", f"{{call: test.count, with: {{name: leaf}}, {LATER}}}", INPUT)
ASK = "{flow: worker, as: ask_worker, description: Doubles.}"
TWICE = asks(("ask_worker", {"n": 1}), ("ask_worker", {"n": 2}))
ONCE = asks(("ask_worker", {"n": 4}))


def boss(
    tools: str = f"[look, {ASK}]",
    *others: str,
    worker: FlowVersion = WORKER,
    more: str = "",
    flow_more: str = "outputs: {said: '{{ help.text }}'}",
) -> FlowVersion:
    """A flow whose step `help` is an agent that has others as tools."""
    steps = "\n".join([f"help: {{agent: helper, tools: {tools}{more}}}", *others])
    other = prompt("other", "Go on.")
    declared = flow(steps, HELPER, other, more=flow_more, tools=TOOLS_KNOWN)
    return with_inputs(declared, {worker.flow.flow: worker})


CALL = "help[turn-1.call-0]"


def children(system: System) -> list[RunRecord]:
    """The runs of the worker."""
    return [run for run in system.stored("runs", RunRecord) if run.flow == "worker"]


def called(system: System) -> StepRecord:
    """What is recorded of the first call."""
    steps = system.stored(f"runs/{run_of(system).run_id}/steps", StepRecord)
    return next(step for step in steps if step.step == CALL)


def answers(request: Any, turn: int = 1) -> list[Any]:
    """What the model was told of the calls of its turn."""
    parts = request.said[2 * turn - 1].parts
    return [part["functionResponse"]["response"] for part in parts]
