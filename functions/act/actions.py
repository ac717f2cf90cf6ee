"""How each action is carried out: on the pipeline's own ports, or outside through `Effects`."""

from __future__ import annotations

import json

from shared.delivery.deps import Deps
from shared.delivery.retrieval.filling import Change, apply
from shared.delivery.steps import StepTask
from shared.domain.actions import (
    Action,
    CollectionPut,
    CollectionRemove,
    EmailSend,
    EventPublish,
    FirestoreSet,
    HttpRequest,
    LogWrite,
    SlackPost,
)
from shared.domain.envelope import Message
from shared.domain.events import derived
from shared.domain.model import Json
from shared.errors import ActionFailedError, ActionInvalidError
from shared.ports import Effects, Put


async def perform(action: Action, key: str, task: StepTask, deps: Deps) -> Json:
    """The action's result, as the step's output."""
    match action:
        case SlackPost():
            return await _outside(deps).post_to_slack(action, key)
        case EmailSend():
            return await _outside(deps).send_email(action, key)
        case HttpRequest():
            return await _outside(deps).request_http(action, key)
        case FirestoreSet():
            await deps.store.commit([Put(action.path, action.data)])
            return {"path": action.path}
        case EventPublish():
            return await _publish(action, key, task, deps)
        case LogWrite():
            return _log(action, deps)
        case CollectionRemove():  # or one that puts, which says more
            return await _fill(action, task, deps)


def _outside(deps: Deps) -> Effects:
    if deps.effects is None:
        raise ActionFailedError("this process has no way to reach outside services")
    return deps.effects


async def _publish(action: EventPublish, key: str, task: StepTask, deps: Deps) -> Json:
    """A derived event. Its id is the effect's key: published twice, it is one event."""
    run = task.envelope.run
    source = f"//segue/flows/{run.flow}/runs/{run.id}/steps/{task.envelope.step}"
    attributes = {
        **derived(task.scope.extensions),
        "ce-specversion": "1.0",
        "ce-id": key,
        "ce-type": action.type,
        "ce-source": source,
        "correlationid": run.correlation_id,
        "causationid": run.event_id,
        "traceparent": task.scope.trace.traceparent,
        "content-type": "application/json",
    }
    if action.subject is not None:
        attributes["ce-subject"] = action.subject
    data = json.dumps(action.data, ensure_ascii=False).encode()
    await deps.bus.publish("events", [Message(data, attributes)])
    return {"id": key, "type": action.type, "source": source}


async def _fill(action: CollectionRemove, task: StepTask, deps: Deps) -> Json:
    collection = task.scope.version.collection(action.collection)
    text, metadata = None, {}
    if isinstance(action, CollectionPut):
        text, metadata = action.text, action.metadata
    problem = collection.metadata_problem(metadata)
    if problem is not None:
        raise ActionInvalidError(problem)
    run_id = task.envelope.run.id
    return await apply(Change(collection, action.document, action.at, text, metadata, run_id), deps)


def _log(action: LogWrite, deps: Deps) -> Json:
    deps.telemetry.log(action.severity, action.message, fields=action.fields)
    return {"severity": action.severity}
