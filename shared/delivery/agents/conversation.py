"""An agent's conversation, told again from what is recorded of its turns and calls.

What the model said goes back to it part by part as it came, signatures of its thoughts included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from shared.delivery.agents.journal import Turn, number, read_turns
from shared.delivery.blobs import Blobs
from shared.delivery.deps import Deps
from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.agents.hand_offs import instruction, speaker_after, taken_over
from shared.domain.agents.notes import TurnTaken, answers, same_before
from shared.domain.envelope import Envelope, GenerateTask, ModelRequest
from shared.domain.instances import instance_of
from shared.domain.step import AgentStep
from shared.errors import PayloadMissingError


@dataclass(frozen=True)
class Conversation:
    """What has been said before a turn. `request` is None before the first one: nothing has.

    speaker: whose turn it is, where the agent has personas. is_new: it is a persona's first one,
    and nothing is recorded of its prompt. own: that prompt, once it is rendered. sources: the ids
    of what has been retrieved by then.
    """

    request: ModelRequest | None = None
    calls: tuple[ToolCall, ...] = ()
    speaker: str | None = None
    is_new: bool = False
    own: ModelRequest | None = None
    sources: frozenset[str] = frozenset()

    def joined_by(self, own: ModelRequest) -> Self:
        """The same, where a persona goes on with it whose prompt has been rendered just now."""
        assert self.request is not None
        own = instruction(own)
        return replace(self, request=taken_over(self.request, own), own=own)

    def taken(
        self, todo: GenerateTask, said: Sequence[Said], calls: Sequence[ToolCall]
    ) -> TurnTaken:
        """What the turn that follows has come to."""
        first = self.request is None
        return TurnTaken(
            request=todo.request if first else self.own,
            blob=todo.blob if first else None,
            said=tuple(said),
            calls=tuple(calls),
            before=len(self.calls),
            same=same_before(self.calls, calls),
            speaker=self.speaker,
        )


async def conversation_of(
    envelope: Envelope, turn: int, declared: AgentStep, deps: Deps
) -> Conversation:
    """What has been said before this turn of an agent. Raises PayloadMissingError."""
    step = instance_of(envelope.step).step
    if turn == 1:
        return Conversation(speaker=speaker_after(step, declared, None))
    turns = await read_turns(envelope.run.id, step, deps.store)
    before = [one for one in turns if number(one.instance) < turn]
    request = await _first(before, deps.blobs)
    taken = [one.taken for one in before if one.taken is not None]
    said = [part for one in before for part in _said(one)]
    calls = tuple(call for one in taken for call in one.calls)
    labels = {**request.labels, "segue-step": envelope.step}
    told = request.model_copy(update={"said": tuple(said), "labels": labels})
    speaker = speaker_after(step, declared, taken[-1])
    so_far = Conversation(told, calls, speaker, sources=frozenset(_sources(before)))
    if speaker is None or speaker == step:
        return so_far
    own = [one.request for one in taken if one.speaker == speaker and one.request is not None]
    if not own:
        return replace(so_far, is_new=True)
    return replace(so_far, request=taken_over(told, own[0]))


async def _first(turns: Sequence[Turn], blobs: Blobs) -> ModelRequest:
    first = turns[0].taken
    if first is not None and first.request is not None:
        return first.request
    if first is None or first.blob is None:
        raise PayloadMissingError("the first turn of the agent")
    return ModelRequest.model_validate_json(await blobs.get(first.blob))


def _sources(turns: Sequence[Turn]) -> Iterator[str]:
    """Of what the first turn's prompt has retrieved, and the calls of all turns."""
    for turn in turns:
        for record in (turn.record, *turn.called):
            yield from record.sources if record is not None else ()


def _said(turn: Turn) -> list[Said]:
    """A turn, and what its calls came to."""
    taken = turn.taken
    if taken is None:
        return []
    if not taken.calls:
        return list(taken.said)
    outputs = [None if call is None else call.output for call in turn.called]
    return [*taken.said, answers(taken.calls, outputs)]
