"""The messages that hand an agent's turns and calls to their stages.

The same agent and turn give the same message, whoever sends it, and however often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.scope import Scope
from shared.domain.agents.hand_offs import speaker_after
from shared.domain.agents.notes import TurnTaken, is_repeated
from shared.domain.envelope import (
    ActTask,
    ComposeTask,
    GenerateTask,
    Message,
    PromptPin,
    Task,
)
from shared.domain.instances import Instance, Part
from shared.domain.step import AgentStep

Variables = Mapping[str, Any]


def turn_message(
    scope: Scope,
    step: str,
    turn: int,
    known: Variables,
    *,
    before: TurnTaken | None = None,
    resumes: int = 0,
) -> tuple[str, Message]:
    """(topic, message) of a turn: the first one is rendered, the others go straight to a model.

    `before` is the turn before it, which tells who takes it.
    """
    instance = Instance(step, part=Part(turn))
    task: Task = ComposeTask()
    if turn > 1:
        declared = scope.version.flow.steps[step]
        assert isinstance(declared, AgentStep)
        speaker = speaker_after(step, declared, before)
        prompt = scope.version.prompts[declared.as_spoken(speaker).agent]
        pin = PromptPin(name=prompt.name, version=prompt.version)
        task = GenerateTask(prompt=pin, speaker=speaker)
    return scope.hand_over(str(instance), known, resumes=resumes, task=task)


def call_message(
    scope: Scope, of: Instance, taken: TurnTaken, known: Variables, resumes: int = 0
) -> tuple[str, Message]:
    """(topic, message) of a call that the turn asks for; a search goes to where turns are taken."""
    assert of.part is not None
    assert of.part.call is not None
    declared = scope.version.flow.steps[of.step]
    assert isinstance(declared, AgentStep)
    call = taken.calls[of.part.call]
    again = is_repeated(declared.limits, taken, of.part.call)
    if declared.as_spoken(taken.speaker).search(call.name) is not None:
        # It needs the client that embeds.
        task = ActTask(call=call, is_repeated=again, speaker=taken.speaker)
        return scope.hand_over(str(of), known, resumes=resumes, task=task, stage="generate")
    tool = scope.version.tools.get(call.name)
    is_patient = tool is not None and tool.effect in {"probe", "unsafe"}
    about = {"is_repeated": again, "is_patient": is_patient, "speaker": taken.speaker}
    task = ActTask(call=call, **about)
    return scope.hand_over(str(of), known, resumes=resumes, task=task)
