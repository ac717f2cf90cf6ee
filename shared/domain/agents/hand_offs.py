"""Who speaks in an agent's conversation, and what comes of a model's handing it to another.

Pure: all of it follows from what the flow declares and from what the turns have asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.agents.conversation import ToolCall, ToolDeclaration
from shared.domain.agents.declared import AnyTool, FlowTool, SearchTool
from shared.domain.agents.notes import TurnTaken, is_repeated, told
from shared.domain.envelope import ModelRequest
from shared.domain.model import Json
from shared.domain.step import AgentStep
from shared.domain.version import FlowVersion
from shared.errors import ToolArgumentsError, ToolError, ToolRejectedError, ToolRepeatedError

PREFIX = "hand_off_to_"
_REASON: dict[str, Json] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why, and what is left to be done."}
    },
    "required": ["reason"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class HandedOff:
    """What comes of a turn's calls that hand over: who goes on, None as before; answers by call."""

    to: str | None
    answers: Mapping[int, Json]


def targets(step: str, declared: AgentStep, speaker: str | None) -> tuple[str, ...]:
    """Whom a speaker may hand over to; the step's own prompt goes by the step's name."""
    if not declared.hand_offs:
        return ()
    persona = declared.hand_offs.get(speaker or "")
    everybody = (step, *declared.hand_offs)
    may = everybody if persona is None or persona.to is None else persona.to
    own = step if persona is None else speaker
    return tuple(one for one in may if one in everybody and one != own)


def handed_off(step: str, declared: AgentStep, taken: TurnTaken) -> HandedOff:
    """The first hand-off of a turn that can be made takes effect; the others are told why not."""
    names = {PREFIX + one: one for one in targets(step, declared, taken.speaker)}
    to, answers = None, dict[int, Json]()
    for index, call in enumerate(taken.calls):
        if call.name not in names:
            continue
        error = _wrong(call, to, is_repeated=is_repeated(declared.limits, taken, index))
        if error is not None:
            answers[index] = {"error": {"code": error.code, "message": error.detail}}
            continue
        to = names[call.name]
        answers[index] = {"handed_off_to": to}
    return HandedOff(to, answers)


def speaker_after(step: str, declared: AgentStep, taken: TurnTaken | None) -> str | None:
    """Who takes the turn after one, or the first; None where the agent has no personas."""
    if not declared.hand_offs:
        return None
    if taken is None:
        return step
    speaker = handed_off(step, declared, taken).to or taken.speaker
    return speaker if speaker in declared.hand_offs else step


def tools_for(version: FlowVersion, step: str, speaker: str | None) -> tuple[ToolDeclaration, ...]:
    """What the model of a speaker is given."""
    declared = version.flow.steps[step]
    assert isinstance(declared, AgentStep)
    own = tuple(_told_of(one, version) for one in declared.as_spoken(speaker).tools)
    others = targets(step, declared, speaker)
    return (*own, *(_declaration(version, declared, other) for other in others))


def instruction(request: ModelRequest) -> ModelRequest:
    """A persona's rendered prompt as what it is told beside a conversation that others began."""
    texts = [request.system or "", *(text for _, text in request.messages)]
    system = "\n\n".join(text.strip() for text in texts if text.strip())
    return request.model_copy(update={"system": system or None, "messages": ()})


def taken_over(request: ModelRequest, own: ModelRequest) -> ModelRequest:
    """A conversation, with the instruction, model and tools of who goes on with it.

    The answer is still the step's: it is checked against the same schema.
    """
    kept = {"messages", "said", "output_schema"}
    step = {"segue-step": request.labels.get("segue-step", "")}
    about = {name: getattr(own, name) for name in ModelRequest.model_fields if name not in kept}
    return request.model_copy(update={**about, "labels": {**own.labels, **step}})


def _told_of(tool: AnyTool, version: FlowVersion) -> ToolDeclaration:
    match tool:
        case FlowTool():
            return tool.declaration(version.inputs[tool.flow])
        case SearchTool():
            return tool.declaration()
        case _:
            return version.tools[tool.tool].declaration()


def _declaration(version: FlowVersion, declared: AgentStep, name: str) -> ToolDeclaration:
    persona = declared.hand_offs.get(name)
    about = persona.description if persona is not None else None
    prompt = version.prompts[declared.as_spoken(name).agent]
    return ToolDeclaration(
        name=PREFIX + name,
        description=f"Hand the conversation to {name}, who goes on in your place."
        f" {about or prompt.head.description}",
        parameters=_REASON,
    )


def _wrong(call: ToolCall, handed_to: str | None, *, is_repeated: bool) -> ToolError | None:
    if call.args.keys() != {"reason"} or not isinstance(call.args["reason"], str):
        return ToolArgumentsError(f"{call.name} takes a `reason`, a text, and nothing else")
    if is_repeated:
        return ToolRepeatedError(f"{told(call)} was asked for too often; go on yourself")
    if handed_to is not None:
        return ToolRejectedError(f"the conversation goes to {handed_to} already")
    return None
