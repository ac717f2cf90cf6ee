"""The run that a message belongs to, and how messages about its steps are made.

Everything sent is derived from what is stored: the same scope and step give the same message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain import ids
from shared.domain.chain import StepStatus
from shared.domain.envelope import (
    ActTask,
    ComposeTask,
    Context,
    Envelope,
    Message,
    Place,
    RunPins,
    Task,
    context_of,
)
from shared.domain.events import extensions
from shared.domain.instances import Instance, instance_of
from shared.domain.records import EventRecord, Failure, StepRecord, event_path, step_path
from shared.domain.trace import TraceContext, parse_traceparent
from shared.domain.undoing import SUFFIX
from shared.domain.version import FlowVersion
from shared.errors import PayloadMissingError
from shared.ports import Document, Store

JSON = "application/json"
REASON = "segue-reason"
REASON_CODE = "segue-reason-code"
FROM_STAGE = "segue-from-stage"
MESSAGE_ID = "segue-message-id"  # of the message that was buried
PUBLISHED = "segue-published"  # when that was
BLOB = "segue-blob"  # where its bytes are, when they do not fit beside the reason
_MAX_ATTRIBUTE = 1024  # bytes in an attribute's value, as Pub/Sub limits it
_MORE = "…"


@dataclass(frozen=True)
class Scope:
    """A run in the hands of a stage: its pins, its flow version, its place in the trace."""

    run: RunPins
    version: FlowVersion
    trace: TraceContext
    extensions: Mapping[str, str]
    cause: str

    def hand_over(
        self,
        step: str,
        variables: Mapping[str, Any],
        place: Place | None = None,
        resumes: int = 0,
        task: Task | None = None,
        stage: str | None = None,
    ) -> tuple[str, Message]:
        """(topic, message) that starts a step, or with a `place` an item of one.

        One that was put off is only taken up again by a message that `resumes` it. Left out, the
        task is what the stage does for all its steps, and the stage the one that they start in.
        """
        stage = stage or self.version.flow.stage(step)
        task = task or (ComposeTask() if stage == "compose" else ActTask())
        about = {"place": place, "resumes": resumes}
        return stage, self.message(step, stage, task, self._context(step, variables), **about)

    def message(self, step: str, stage: str, task: Task, context: Context, **about: Any) -> Message:
        """The message that hands a step, or an item of one, to a stage.

        `about` are further fields of the envelope.
        """
        envelope = Envelope(
            id=ids.message_id(self.run.id, step, stage),
            cause=self.cause,
            run=self.run,
            step=step,
            context=context,
            task=task,
            **about,
        )
        attributes = {
            **self.extensions,
            "content-type": JSON,
            "correlationid": self.run.correlation_id,
            "traceparent": self.trace.traceparent,
            "segue-id": envelope.id,
            "segue-flow": self.run.flow,
            "segue-run": self.run.id,
            "segue-step": step,
        }
        return Message(envelope.encode(), attributes)

    def _context(self, step: str, variables: Mapping[str, Any]) -> Context:
        instance = instance_of(step)
        if instance.part is not None:
            wanted = self.version.wanted_by_part(instance)
        elif instance.index is None:
            wanted = self.version.wanted(step)
        else:
            wanted = self.version.wanted_by_items(instance.step)
        wanted -= {"run"}  # the pins tell that
        undone = self.undone_item(instance)
        own = wanted & {undone.step} if undone is not None else frozenset()
        known = {name: value for name, value in variables.items() if name in wanted - own}
        context = context_of(known)
        return context.model_copy(update={"stored": (*context.stored, *own)}) if own else context

    def undone_item(self, instance: Instance) -> Instance | None:
        """The item, of the run that is undone, that this one undoes; None where it undoes none."""
        undone = self.version.undone_by(instance.step) if instance.index is not None else None
        if undone is None or instance.index is None:
            return None
        return Instance(undone.step, undone.indexes[instance.index])

    def run_variables(self) -> dict[str, str]:
        """What expressions see as `run`. What undoes a run sees the run that it undoes."""
        undone = self.run.undoes
        return {
            "id": undone or self.run.id,
            "flow": self.run.flow.removesuffix(SUFFIX) if undone else self.run.flow,
            "correlation_id": self.run.correlation_id,
        }


def scope_of(envelope: Envelope, message: Message, version: FlowVersion, span_id: str) -> Scope:
    """The scope of a stage message; its own messages are children of `span_id`."""
    return Scope(
        run=envelope.run,
        version=version,
        trace=trace_of(message, envelope.run.correlation_id).child(span_id),
        extensions=extensions(message.attributes),
        cause=envelope.id,
    )


def trace_of(message: Message, correlation_id: str) -> TraceContext:
    """The trace a message belongs to; one without a valid traceparent starts its correlation's."""
    sent = parse_traceparent(message.attributes.get("traceparent", ""))
    trace_id = ids.trace_id(correlation_id)
    return sent or TraceContext(trace_id, ids.span_id(trace_id))


def dead_letter(message: Message, stage: str, failure: Failure) -> Message:
    """The message as it goes to the stage's dead-letter topic: same bytes, and why."""
    return Message(
        message.data,
        {
            **message.attributes,
            FROM_STAGE: stage,
            REASON_CODE: failure.code,
            REASON: _fitting(failure.message),
        },
    )


def _fitting(text: str) -> str:
    """What an attribute takes of it, between characters; an ellipsis says that there was more."""
    raw = text.encode()
    if len(raw) <= _MAX_ATTRIBUTE:
        return text
    return raw[: _MAX_ATTRIBUTE - len(_MORE.encode())].decode(errors="ignore") + _MORE


async def variables_of(store: Store, scope: Scope, envelope: Envelope) -> dict[str, Any]:
    """The variables a step sees: what rode along, and what is stored, read once."""
    context, instance = envelope.context, instance_of(envelope.step)
    stored = set(context.stored)
    loaded = {}
    if instance.index is not None and "item" in stored:
        stored.remove("item")
        loaded["item"] = await _stored_item(store, scope.run, instance.step, instance.index)
    undone = scope.undone_item(instance)
    if undone is not None and undone.step in stored:
        stored.remove(undone.step)
        loaded |= await _output_of(store, scope.run, undone)
    loaded |= await load(store, scope, stored)
    return {**context.inline, **loaded, "run": scope.run_variables()}


async def _stored_item(store: Store, run: RunPins, step: str, index: int) -> Any:
    """An item that was too large to ride along."""
    found = await store.get(step_path(run.id, step))
    mapped = StepRecord.of(found.data).mapped if found else None
    if mapped is None or mapped.values is None:
        raise PayloadMissingError(f"item {index} of step {step!r}")
    return mapped.values[index]


async def _output_of(store: Store, run: RunPins, item: Instance) -> dict[str, Any]:
    """The output of an item of the run that is undone, by the name of its step."""
    found = await store.get(step_path(str(run.undoes), str(item)))
    outputs = _stored_value(item.step, found)
    return {item.step: outputs[0]} if outputs else {}


async def load(store: Store, scope: Scope, names: Iterable[str]) -> dict[str, Any]:
    """Stored variables by name: the event, and outputs of steps that succeeded.

    The output of a step that another has stood in for is that one's.
    """
    wanted = sorted(names)
    if not wanted:
        return {}
    steps = scope.version.flow.steps
    stand_ins = {name: steps[name].stand_in for name in wanted if name in steps}
    read = [*wanted, *sorted({one for one in stand_ins.values() if one} - set(wanted))]
    paths = [_path_of(name, scope) for name in read]
    found = dict(zip(read, await store.get_many(paths), strict=True))
    values = {name: value for name in read for value in _stored_value(name, found[name])}
    for name in wanted:
        stand_in = stand_ins.get(name)
        if name not in values and stand_in in values:
            values[name] = values[stand_in]
    return {name: values[name] for name in wanted if name in values}


def _path_of(variable: str, scope: Scope) -> str:
    if variable == "event":
        return event_path(scope.run.event_key)
    undoing = scope.version.undoing
    if undoing is not None and scope.run.undoes and variable in undoing.recalls:
        return step_path(scope.run.undoes, undoing.recalls[variable])
    return step_path(scope.run.id, variable)


def _stored_value(name: str, document: Document | None) -> list[Any]:
    if name == "event":
        if document is None:
            raise PayloadMissingError("the event of the run")
        return [EventRecord.of(document.data).read().variables()]
    if document is None:
        return []
    record = StepRecord.of(document.data)
    return [record.output] if record.status is StepStatus.SUCCEEDED else []


async def variables_at(
    store: Store, scope: Scope, step: str, known: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables at a join or at END: those known on this branch, and the other branches'."""
    wanted = scope.version.wanted_steps(step)
    if "event" in scope.version.wanted(step):
        wanted |= {"event"}
    missing = wanted - known.keys()
    loaded = await load(store, scope, missing)
    return {**known, **loaded, "run": scope.run_variables()}
