"""Systems with rollouts, and runs of them in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from shared.domain.records import RunRecord
from shared.domain.rollouts.declared import Rollout
from shared.domain.version import FlowVersion
from shared.prompting.library import Library
from shared.prompting.pushing import By, PromptChanges
from tests.functional.system import System, flow, library, prompt

SAY = prompt("say", "{{ text }}")
LOUD = prompt("say", "LOUD {{ text }}")
TALK = flow(
    "a: {prompt: say, with: {text: '{{ event.data.text }}'}}",
    SAY,
    more="outputs: {said: '{{ a.text }}'}",
)


def with_rollouts(*flows: FlowVersion, rollouts: str) -> Library:
    """A library of these flows and of rollouts, given as YAML documents."""
    known = library(*flows)
    read = [Rollout.model_validate(one) for one in yaml.safe_load_all(rollouts)]
    return Library(known.flows, known.prompts, (), rollouts={one.rollout: one for one in read})


def by(system: System) -> By:
    return By("ada", system.world.clock.now())


async def pushed(system: System, label: str, version: Any = LOUD) -> None:
    """Pushes a version of a prompt, with a label on it."""
    await PromptChanges(system.world.documents).push(version, by(system), label=label)


async def several(system: System, n: int, **about: str) -> list[RunRecord]:
    """So many runs, each by an event of its own; as they stand in the end."""
    for number in range(n):
        await system.start({"text": f"t{number}"}, ce_id=f"e{number}", **about)
    return system.stored("runs", RunRecord)


def variants(runs: list[RunRecord], rollout: str = "x") -> Mapping[str, str]:
    """By event."""
    return {run.event_id: run.variants.get(rollout, "") for run in runs}
