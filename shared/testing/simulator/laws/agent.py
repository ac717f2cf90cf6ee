"""Whether the turns and calls of agents are those of one conversation, by their records alone.

Written from the definition, not from the code that goes on with an agent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.instances import Instance, instance_of
from shared.domain.records import step_path
from shared.testing.simulator.engine import Fields


def sent_too_early(documents: Mapping[str, Fields], run_id: str, of: Instance) -> str | None:
    """What is wrong with a turn or a call that is sent: what it follows from has not ended."""
    part = of.part
    assert part is not None
    agent = documents.get(step_path(run_id, of.step))
    if agent is None or agent.get("agent", "null") == "null":
        return f"{of} of {run_id} was sent before its agent had begun"
    if part.call is not None:
        turn = documents.get(step_path(run_id, f"{of.step}[turn-{part.turn}]"))
        if turn is None or part.call >= len(_calls(turn)):
            return f"{of} of {run_id} was sent, and its turn does not ask for it"
    return None


def broken_agents(steps: Mapping[str, Fields]) -> Iterator[str]:
    """What is wrong with agents, and with how far their turns have come."""
    for name, record in steps.items():
        if instance_of(name).is_whole and _note(record).get("kind") == "agent":
            yield from _broken(name, record, steps)


def _broken(name: str, record: Fields, steps: Mapping[str, Fields]) -> Iterator[str]:
    turns = sorted(
        part.turn
        for other in steps
        if (of := instance_of(other)).step == name and (part := of.part) and part.call is None
    )
    if turns != list(range(1, len(turns) + 1)):
        yield f"step {name} has had the turns {turns}"
        return
    for turn in turns[:-1]:
        told = f"{name}[turn-{turn}]"
        calls = [f"{name}[turn-{turn}.call-{at}]" for at in range(len(_calls(steps[told])))]
        has_ended = [steps.get(one, {}).get("status") == "succeeded" for one in (told, *calls)]
        if not calls or not all(has_ended):
            yield f"step {name} went on after turn {turn}, of which not all had ended"
    if record["status"] == "succeeded" and not record.get("fallback"):
        last = steps[f"{name}[turn-{turns[-1]}]"] if turns else {}
        if last.get("output") != record["output"] or _calls(last):
            yield f"step {name} has ended with {record['output']}, and its last turn otherwise"


def _calls(turn: Fields) -> list[Any]:
    return list(_note(turn).get("calls", ()))


def _note(record: Fields) -> dict[str, Any]:
    note: dict[str, Any] | None = json.loads(record.get("agent") or "null")
    return note or {}
