"""From a message to a checked answer: of a model, a search or a shadow, every token counted.

Claims, records and successors are the protocol's business, not this module's.
"""

from __future__ import annotations

from functions.generate.searches import citable, introduced, look_up, rendered
from functions.generate.talk import Talk
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.models.answers import Answers
from shared.delivery.models.caller import Caller
from shared.delivery.steps import StepTask, run_step
from shared.domain.envelope import SHADOW, ActTask, GenerateTask, ModelRequest
from shared.domain.instances import instance_of
from shared.domain.model import Json
from shared.domain.step import AgentStep
from shared.errors import MessageInvalidError
from shared.ports import Model
from shared.prompting.render import pin_of

_SHARE = 0.95  # of the stage's budget; the rest is kept for recording the answer


async def handle(received: Received, deps: Deps) -> Handled:
    """Runs the step under the protocol; of a shadow's question there is none."""
    if SHADOW in received.delivery.message.attributes:
        # Loaded where a run has a shadow.
        from functions.generate.shadow import answer  # noqa: PLC0415

        return await answer(received, deps)
    return await run_step(received, deps, ask, check_run=False)


async def ask(task: StepTask, deps: Deps) -> Json:
    """The step's output. What it costs is in `task.spent`, whatever happens."""
    todo = task.envelope.task
    if isinstance(todo, ActTask):
        return await (look_up(task, deps) if todo.call is None else _search(task, deps))
    if not isinstance(todo, GenerateTask) or deps.model is None:
        raise MessageInvalidError(f"a {todo.kind!r} task cannot be asked of a model")
    task.spent.prompt = todo.prompt
    part = instance_of(task.envelope.step).part
    if part is not None:
        return await _take_turn(task, todo, part.turn, deps)
    request = await _request(task, todo, deps)
    answers = Answers(task, request, deps)
    known = await answers.known()
    if known is not None:
        return known.output
    output = await _talk(task, deps.model, request, deps).hold()
    answers.keep(output)
    return output


async def _search(task: StepTask, deps: Deps) -> Json:
    """A search that an agent asks for as a tool."""
    # Loaded where a flow has such agents.
    from functions.generate.tool_searches import search_for  # noqa: PLC0415

    return await search_for(task, deps)


def _talk(
    task: StepTask,
    model: Model,
    request: ModelRequest,
    deps: Deps,
    before: frozenset[str] = frozenset(),
) -> Talk:
    caller = Caller(task, deps, model, _seconds(task))
    return Talk(caller, task.spent, request, citable(task, before))


async def _take_turn(task: StepTask, todo: GenerateTask, turn: int, deps: Deps) -> Json:
    """An agent's turn: its conversation goes on, and what it has come to is noted."""
    # Loaded where a flow has agents.
    from shared.delivery.agents.conversation import conversation_of  # noqa: PLC0415

    assert deps.model is not None
    declared = task.scope.version.flow.declared(task.envelope.step)
    assert isinstance(declared, AgentStep)
    conversation = await conversation_of(task.envelope, turn, declared, deps)
    if conversation.is_new:
        own = await introduced(task, declared, str(conversation.speaker), deps)
        conversation = conversation.joined_by(own)
    request = conversation.request
    if request is None:
        request = await _request(task, todo, deps)
        if todo.request is None and todo.blob is None:  # what it has retrieved is kept with it
            todo = todo.model_copy(update={"request": request})
    if task.scope.version.shadows:
        # Loaded where a run has a shadow.
        from shared.delivery.rollouts.shadowing import cast_turn  # noqa: PLC0415

        about = (request, conversation.speaker, task.variables)
        await cast_turn(task.scope, task.envelope, *about, deps)
    talk = _talk(task, deps.model, request, deps, conversation.sources)
    output = await talk.hold()
    task.spent.note = conversation.taken(todo, talk.said, talk.calls)
    return output


async def _request(task: StepTask, todo: GenerateTask, deps: Deps) -> ModelRequest:
    """What is asked: as it was rendered, or as the step's fallback has it."""
    other = task.fallback
    if other is not None and other.prompt is not None:
        prompt = task.scope.version.prompts[other.prompt]
        task.spent.prompt = pin_of(prompt)
        return await rendered(task, prompt, deps)
    request = todo.request
    if request is None and todo.blob is None:
        request = await rendered(task, task.scope.version.prompt(task.envelope.step), deps)
    elif request is None:
        request = ModelRequest.model_validate_json(await deps.blobs.get(todo.blob or ""))
    if other is None or other.model is None:
        return request
    return request.model_copy(update={"model": other.model, "others": ()})


def _seconds(task: StepTask) -> float:
    """How long the model may take; a step's own timeout is the protocol's to enforce."""
    own = task.scope.version.flow.declared(task.envelope.step).timeout
    budget = task.seconds * _SHARE
    return budget if own is None or own > budget else own + 1
