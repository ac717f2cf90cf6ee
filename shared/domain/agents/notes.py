"""What an agent's records keep beside what all steps' do: its turns, the calls that they ask for.

From these the whole conversation is told again. Pure; knows no statuses.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.agents.declared import Limits
from shared.domain.envelope import ModelRequest
from shared.domain.ids import content_hash
from shared.domain.model import Json, Wire
from shared.errors import AgentCallsError, AgentLimitError, AgentRepeatsError, AgentTurnsError


class Begun(Wire):
    """Of the agent as a whole: its first turn has been sent."""

    kind: Literal["agent"] = "agent"


class TurnTaken(Wire):
    """What a turn came to. The first one keeps what was asked, or under which `blob` it is.

    said: the model's own words, and between two of them what was wrong with the first. calls: what
    it asks for. before: how many calls earlier turns asked for. same: for each call, how many of
    those before it were for the same. speaker: who took it, where the agent has personas; one that
    takes its first turn keeps as `request` what it was told, without what had been said.
    """

    kind: Literal["turn"] = "turn"
    request: ModelRequest | None = None
    blob: str | None = None
    said: tuple[Said, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    before: int = 0
    same: tuple[int, ...] = ()
    speaker: str | None = None


class CallMade(Wire):
    """A call. cleared: of how many attempts it is known what they did; nobody asks again of those.

    What a person said of it: rejected, why it is not to be made (again); happened, that it has
    been, with this result.
    """

    kind: Literal["call"] = "call"
    call: ToolCall
    cleared: int = 0
    rejected: str | None = None
    happened: bool = False
    result: Json = None


AgentNote = Annotated[Begun | TurnTaken | CallMade, Field(discriminator="kind")]


def same_before(earlier: Iterable[ToolCall], calls: Sequence[ToolCall]) -> tuple[int, ...]:
    """For each of the calls, how many before it were for the same tool and arguments."""
    seen = Counter(_identity(call) for call in earlier)
    found: list[int] = []
    for call in calls:
        found.append(seen[_identity(call)])
        seen[_identity(call)] += 1
    return tuple(found)


def _identity(call: ToolCall) -> str:
    return content_hash([call.name, call.args])


def breach(limits: Limits, turn: int, taken: TurnTaken) -> AgentLimitError | None:
    """The limit that a turn breaks with the calls that it asks for: none of them is made then."""
    asked = taken.before + len(taken.calls)
    if asked > limits.calls:
        return AgentCallsError(f"{asked} calls; the limit is {limits.calls}")
    for call, same in zip(taken.calls, taken.same, strict=True):
        if same > limits.repeats:
            return AgentRepeatsError(f"{call.name} was asked for {same + 1} times with the same")
    if turn >= limits.turns:
        return AgentTurnsError(f"{limits.turns} turns, and the last one asks for more calls")
    return None


def is_repeated(limits: Limits, taken: TurnTaken, index: int) -> bool:
    """Whether a call is for the same once too often: it is not made, and the model is told why."""
    return taken.same[index] >= limits.repeats


def answers(calls: Sequence[ToolCall], outputs: Sequence[Json]) -> Said:
    """The results of a turn's calls, in their order, as the model is told them.

    Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/Content (FunctionResponse)
    """
    parts = [_answer(call, output) for call, output in zip(calls, outputs, strict=True)]
    return Said(role="user", parts=tuple(parts))


def _answer(call: ToolCall, output: Json) -> dict[str, Json]:
    response: dict[str, Json] = output if isinstance(output, dict) else {"result": output}
    answer: dict[str, Json] = {"name": call.name, "response": response}
    return {"functionResponse": answer if call.id is None else {**answer, "id": call.id}}


def told(call: ToolCall, longest: int = 200) -> str:
    """A call in one line, for people."""
    text = f"{call.name}({json.dumps(call.args, ensure_ascii=False)})"
    return text if len(text) <= longest else f"{text[:longest]} …"
