"""What a call can become so that it costs less: another model, or less that is sent and answered.

Pure. What the prompt itself says is never cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.domain.agents.conversation import Said
from shared.domain.budgets.declared import SMALLEST, OtherModel, Smaller, most_input
from shared.domain.envelope import ModelRequest

LONGEST = "max_output_tokens"  # the parameter
_RESULT = "functionResponse"
_LEFT_OUT = {"result": "left out"}


def request_on(
    rung: OtherModel | Smaller, request: ModelRequest, longest: int
) -> ModelRequest | None:
    """The request as a rung has it; None where it changes nothing or cannot be done.

    `longest` is the longest answer in tokens that the request allows for.
    """
    if isinstance(rung, OtherModel):
        changed = request.model_copy(update={"model": rung.model})
        return None if rung.model == request.model else changed
    return _smaller(request, rung.context, longest)


def _smaller(request: ModelRequest, context: int, longest: int) -> ModelRequest | None:
    """At most `context` tokens in all: the oldest results of tools go first, then the answer."""
    for shorter in _shorter(request):
        room = context - most_input(shorter)
        if room >= min(longest, SMALLEST):
            answer = min(longest, room)
            is_same = shorter is request and answer == longest
            parameters = {**shorter.parameters, LONGEST: answer}
            return None if is_same else shorter.model_copy(update={"parameters": parameters})
    return None


def _shorter(request: ModelRequest) -> Iterator[ModelRequest]:
    """As it is, then with ever more results left out; those of the last turn stay."""
    yield request
    said = list(request.said)
    for at in range(len(said) - 1):
        without = tuple(_without_result(part) for part in said[at].parts)
        if without != said[at].parts:
            said[at] = Said(role=said[at].role, parts=without)
            yield request.model_copy(update={"said": tuple(said)})


def _without_result(part: dict[str, Any]) -> dict[str, Any]:
    answer = part.get(_RESULT)
    shorter = {**part, _RESULT: {**(answer or {}), "response": _LEFT_OUT}}
    return shorter if answer is not None and len(str(shorter)) < len(str(part)) else part
