"""An agent's conversation, told again from what is recorded of its turns and calls.

What the model said goes back to it part by part as it came, signatures of its thoughts included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.delivery.agents.journal import Turn, number, read_turns
from shared.delivery.blobs import Blobs
from shared.delivery.deps import Deps
from shared.domain.agent_notes import TurnTaken, answers, same_before
from shared.domain.conversation import Said, ToolCall
from shared.domain.envelope import Envelope, GenerateTask, ModelRequest
from shared.domain.instances import instance_of
from shared.errors import PayloadMissingError


@dataclass(frozen=True)
class Conversation:
    """What has been said before a turn. `request` is None before the first one: nothing has."""

    request: ModelRequest | None = None
    calls: tuple[ToolCall, ...] = ()

    def taken(
        self, todo: GenerateTask, said: Sequence[Said], calls: Sequence[ToolCall]
    ) -> TurnTaken:
        """What the turn that follows has come to."""
        first = self.request is None
        return TurnTaken(
            request=todo.request if first else None,
            blob=todo.blob if first else None,
            said=tuple(said),
            calls=tuple(calls),
            before=len(self.calls),
            same=same_before(self.calls, calls),
        )


async def conversation_of(envelope: Envelope, turn: int, deps: Deps) -> Conversation:
    """What has been said before this turn of an agent. Raises PayloadMissingError."""
    if turn == 1:
        return Conversation()
    step = instance_of(envelope.step).step
    turns = await read_turns(envelope.run.id, step, deps.store)
    before = [one for one in turns if number(one.instance) < turn]
    request = await _first(before, deps.blobs)
    taken = [one.taken for one in before if one.taken is not None]
    said = [part for one in before for part in _said(one)]
    calls = tuple(call for one in taken for call in one.calls)
    labels = {**request.labels, "segue-step": envelope.step}
    told = request.model_copy(update={"said": tuple(said), "labels": labels})
    return Conversation(told, calls)


async def _first(turns: Sequence[Turn], blobs: Blobs) -> ModelRequest:
    first = turns[0].taken
    if first is not None and first.request is not None:
        return first.request
    if first is None or first.blob is None:
        raise PayloadMissingError("the first turn of the agent")
    return ModelRequest.model_validate_json(await blobs.get(first.blob))


def _said(turn: Turn) -> list[Said]:
    """A turn, and what its calls came to."""
    taken = turn.taken
    if taken is None:
        return []
    if not taken.calls:
        return list(taken.said)
    outputs = [None if call is None else call.output for call in turn.called]
    return [*taken.said, answers(taken.calls, outputs)]
