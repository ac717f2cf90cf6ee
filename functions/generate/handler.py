"""From a rendered request to a checked answer: at most one repair turn, every token counted.

Claims, records and successors are the protocol's business, not this module's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from shared.delivery.blobs import get_blob
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.outcome import Outcome
from shared.delivery.steps import StepTask, run_step
from shared.domain.envelope import GenerateTask, ModelRequest
from shared.domain.events import strict_json
from shared.domain.model import Json
from shared.domain.records import Usage
from shared.errors import MessageInvalidError, OutputInvalidError, SegueError
from shared.ports import ModelReply
from shared.prompting.render import schema_problem

_REPAIR = (
    "That answer does not fit the required JSON schema: {problem}\n"
    "Answer again with nothing but JSON that fits the schema."
)
_SHARE = 0.95  # of the step's time; the rest is kept for recording the answer


async def handle(received: Received, deps: Deps) -> Handled:
    """Runs the step under the protocol."""
    return await run_step(received, deps, ask, check_run=False)


async def ask(task: StepTask, deps: Deps) -> Outcome:
    """The step's output, or the error that ends it; usage in both cases."""
    todo = task.envelope.task
    if not isinstance(todo, GenerateTask) or deps.model is None:
        raise MessageInvalidError(f"a {todo.kind!r} task cannot be asked of a model")
    request = await _request(todo, deps)
    own = task.scope.version.flow.steps[task.envelope.step].timeout
    limit = min(own or deps.stage.budget, deps.stage.budget)
    talk = _Talk(deps, request, seconds=limit * _SHARE)
    outcome = await talk.hold()
    return replace(outcome, prompt=todo.prompt, model=talk.model)


async def _request(todo: GenerateTask, deps: Deps) -> ModelRequest:
    if todo.request is not None:
        return todo.request
    data = await get_blob(deps.store, todo.blob or "")
    return ModelRequest.model_validate_json(data)


@dataclass
class _Talk:
    """One conversation about one answer, and what it has cost so far."""

    deps: Deps
    request: ModelRequest
    seconds: float
    usage: Usage = field(default_factory=Usage)
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = self.request.model

    async def hold(self) -> Outcome:
        try:
            output, problem = await self._turn(self.request)
            if problem is not None:
                output, problem = await self._turn(self._repair_of(problem))
        except SegueError as error:
            return Outcome(error=error, usage=self.usage, answers=tuple(self.answers))
        if problem is not None:
            unfit = OutputInvalidError(f"the repaired answer {problem}")
            return Outcome(error=unfit, usage=self.usage, answers=tuple(self.answers))
        return Outcome(output=output, usage=self.usage)

    async def _turn(self, request: ModelRequest) -> tuple[Json, str | None]:
        """(output, None) or (None, what is wrong with the answer)."""
        assert self.deps.model is not None
        try:
            reply = await self.deps.model.generate(request, seconds=self.seconds)
        except SegueError as error:
            if error.reply is not None:
                self._count(error.reply)
            else:
                self.usage += Usage(llm_calls=1)
            raise
        self._count(reply)
        if request.output_schema is None:
            return {"text": self.answers[-1]}, None
        return _checked(self.answers[-1], request.output_schema)

    def _count(self, reply: ModelReply) -> None:
        assert self.deps.model is not None
        self.model = reply.model
        self.answers.append(reply.text.encode(errors="replace").decode())  # no half characters
        cost = self.deps.model.cost(self.request.model, reply.tokens)
        self.usage += Usage(llm_calls=1, tokens=reply.tokens, cost_usd=cost)

    def _repair_of(self, problem: str) -> ModelRequest:
        """The request again, with the answer it got and what is wrong with it."""
        turns = (("model", self.answers[-1]), ("user", _REPAIR.format(problem=problem)))
        return self.request.model_copy(update={"messages": (*self.request.messages, *turns)})


def _checked(text: str, schema: dict[str, Any]) -> tuple[Json, str | None]:
    try:
        value = strict_json(text)
    except ValueError as error:
        return None, f"is not JSON: {error}"
    problem = schema_problem(schema, value)
    return (value, None) if problem is None else (None, f"breaks the schema {problem}")
