"""From a request to an answer that fits what was asked for: at most one repair turn.

Must not know whose question it is, nor what becomes of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.delivery.outcome import Spent
from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.envelope import ModelRequest
from shared.domain.events import strict_json
from shared.domain.model import Json
from shared.domain.retrieval.searches import citation_problem
from shared.errors import OutputInvalidError, SegueError
from shared.ports import ModelReply
from shared.prompting.render import schema_problem

_REPAIR = (
    "That answer does not fit the required JSON schema: {problem}\n"
    "Answer again with nothing but JSON that fits the schema."
)
_KEPT_CHARACTERS = 200_000  # of an answer that did not fit; two of them fit into the step's record


class Asks(Protocol):
    """Whoever asks a model and sees to the bill."""

    async def ask(self, request: ModelRequest) -> ModelReply: ...


@dataclass
class Talk:
    """One conversation about one answer. It may be one that asks for `calls` of tools.

    `said` is what was said in it, beside the request.
    """

    caller: Asks
    spent: Spent
    request: ModelRequest
    citable: frozenset[str] | None = None
    said: list[Said] = field(default_factory=list)
    calls: tuple[ToolCall, ...] = ()

    async def hold(self) -> Json:
        """The answer that fits. Raises OutputInvalidError, or what the model raises."""
        output, problem = await self._turn(self.request)
        if problem is not None:
            output, problem = await self._turn(self._repair_of(problem))
        if problem is not None:
            raise OutputInvalidError(f"the repaired answer {problem}")
        return output

    async def _turn(self, request: ModelRequest) -> tuple[Json, str | None]:
        """(output, None) or (None, what is wrong with the answer)."""
        try:
            reply = await self.caller.ask(request)
        except SegueError as error:
            if error.reply is not None:
                self._keep(error.reply)
            raise
        text = self._keep(reply)
        self.said.append(reply.said or Said(role="model", parts=({"text": text},)))
        self.calls = reply.calls
        if request.output_schema is None or reply.calls:
            return {"text": text}, None
        return self._checked(text, request.output_schema)

    def _checked(self, text: str, schema: dict[str, Any]) -> tuple[Json, str | None]:
        try:
            value = strict_json(text)
        except ValueError as error:
            return None, f"is not JSON: {error}"
        problem = schema_problem(schema, value)
        if problem is not None:
            return None, f"breaks the schema {problem}"
        if self.citable is not None:
            problem = citation_problem(schema, value, self.citable)
        return (value, None) if problem is None else (None, problem)

    def _keep(self, reply: ModelReply) -> str:
        """The answer's text, without half characters; it is kept where no answer fits."""
        text = reply.text.encode(errors="replace").decode()
        self.spent.answers.append(text[:_KEPT_CHARACTERS])
        return text

    def _repair_of(self, problem: str) -> ModelRequest:
        """The request again, with the answer it got and what is wrong with it."""
        wrong = _REPAIR.format(problem=problem)
        if self.request.tools or self.request.said:
            self.said.append(Said(role="user", parts=({"text": wrong},)))
            return self.request.model_copy(update={"said": (*self.request.said, *self.said)})
        turns = (("model", self.spent.answers[-1]), ("user", wrong))
        return self.request.model_copy(update={"messages": (*self.request.messages, *turns)})
