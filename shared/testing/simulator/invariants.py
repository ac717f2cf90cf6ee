"""What must never happen, looked for at every commit, publish, model call and acknowledgement.

Each check has the name that it is reported by, one of `guarantees`. What can only be told when all
is quiet is in `endings`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.delivery.scope import MESSAGE_ID
from shared.domain import ids
from shared.domain.commands import COMMANDS
from shared.domain.envelope import Message, ModelRequest
from shared.domain.instances import Instance, instance_of
from shared.domain.records import Tokens, event_path, run_path, step_path
from shared.domain.retrieval.vectors import EmbedRequest
from shared.domain.starts.schedules import tick_id
from shared.domain.version import FlowVersion
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.guarantees import Violation
from shared.testing.simulator.instance import CURRENT, Work
from shared.testing.simulator.laws.agent import sent_too_early
from shared.testing.simulator.laws.board import written
from shared.testing.simulator.laws.calls import (
    Calls,
    asks,
    from_the_cache,
    kept_answer,
    moved_breaker,
)
from shared.testing.simulator.laws.child import broken_return, orphan
from shared.testing.simulator.laws.graph import (
    is_provided_for,
    leads_on,
    open_branches,
    tries_too_many,
)
from shared.testing.simulator.laws.letter import changed_letter, is_kept
from shared.testing.simulator.laws.money import Bills, overspent
from shared.testing.simulator.laws.order import Lines
from shared.testing.simulator.laws.rollout import changed_by_shadow, is_of_shadow
from shared.testing.simulator.laws.shelf import changed_document
from shared.testing.simulator.laws.stop import begins, obeyed, resumed
from shared.testing.simulator.laws.undo import was_heard

_FINAL = frozenset({"succeeded", "skipped", "failed", "cancelled"})


@dataclass
class Watch:
    """Sees everything, keeps a mirror of what is stored, and notes what must not happen.

    `versions` are all flow versions ever deployed, or made to undo a run, by version. `accepted`
    are the keys of events and `buried` the messages that a stage has given up, by message id;
    `sent` are the bytes of all messages, by stage, and `kept` what there are dead letters of.
    `unwanted` are the runs that somebody wants to be cancelled, `stopped` those of which nothing
    may begin.
    """

    versions: dict[str, FlowVersion]
    on_violation: Callable[[Violation], None] = lambda _violation: None
    violations: list[Violation] = field(default_factory=list)
    documents: dict[str, Fields] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    accepted: dict[str, str] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    sent: set[tuple[str, bytes]] = field(default_factory=set)
    kept: set[Hashable] = field(default_factory=set)
    results: Counter[str] = field(default_factory=Counter)
    happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    unwanted: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    bills: Bills = field(default_factory=Bills)

    def __post_init__(self) -> None:
        self.lines = Lines(self.documents)

    def note(self, invariant: str, what: str) -> None:
        """Something that must not happen has happened."""
        violation = Violation(invariant, what)
        self.violations.append(violation)
        self.on_violation(violation)

    # -- a document has changed -------------------------------------------------------------

    def changed(self, change: Change) -> None:
        """Called for each change of a document, at the moment it takes effect."""
        if change.after is None:
            self.documents.pop(change.path, None)
        else:
            self.documents[change.path] = change.after
        for told in changed_by_shadow(change):
            self.note("shadow", told)
        parts = change.path.split("/")
        kind = parts[0] if len(parts) == 2 else f"{parts[0]}/{parts[2]}"
        for invariant, what in _CHANGE_CHECKS.get(kind, _unchecked)(self, change):
            self.note(invariant, what)

    # -- a message, a call, an answer -------------------------------------------------------

    def published(
        self, topic: str, message: Message, message_id: str, at: datetime | None = None
    ) -> None:
        """Called for each message that a topic has taken; the time is what tells ticks apart."""
        attributes = message.attributes
        stage = "route" if topic == "events" else topic.removesuffix("-dead")
        self.sent.add((stage, message.data))
        if topic == "events" and attributes.get("ce-type") not in COMMANDS:
            tick = None if at is None else tick_id(attributes, at)
            source = attributes.get("ce-source", ids.UNNAMED_SOURCE)
            event_id = attributes.get("ce-id", tick or message_id)
            self.accepted[message_id] = ids.event_key(source, event_id)
        elif topic.endswith("-dead"):
            self.buried.add(attributes.get(MESSAGE_ID, ""))
        elif "segue-step" in attributes and _begins(topic, attributes["segue-step"]):
            self._published_step(attributes["segue-run"], attributes["segue-step"])

    def _published_step(self, run_id: str, step: str) -> None:
        version = self.version_of(run_id)
        if version is None:
            self.note("join-once", f"{step} of {run_id} was sent before its run was stored")
            return
        instance = instance_of(step)
        if instance.part is not None:
            told = sent_too_early(self.documents, run_id, instance)
            if told is not None:
                self.note("agent", told)
            return
        if instance.index is not None:
            self._published_item(run_id, instance)
            return
        steps = {
            edge.source: self.documents.get(step_path(run_id, edge.source))
            for edge in version.flow.incoming[step]
        }
        for source in open_branches(version.flow, step, steps):
            self.note("join-once", f"{step} of {run_id} was sent before {source} had ended")

    def _published_item(self, run_id: str, item: Instance) -> None:
        """An item may be sent once its map has begun."""
        begun = self.documents.get(step_path(run_id, item.step))
        mapped = json.loads(begun["mapped"]) if begun is not None else None
        if mapped is None or (item.index or 0) >= mapped["size"]:
            self.note("map", f"{item} of {run_id} was sent, and its map does not have it")

    def asks(self, request: ModelRequest) -> None:
        """Called for each call that reaches the model."""
        work = CURRENT.get()
        if work is not None:
            work.asked = True
        for invariant, what in asks(self, request):
            self.note(invariant, what)

    def billed(self, request: ModelRequest, tokens: Tokens) -> None:
        """Called for each answer that a model gives, whether or not it arrives."""
        if not is_of_shadow():
            self._billed(request, request.labels.get("segue-run", ""), tokens)

    def embedded(self, request: EmbedRequest, tokens: Tokens) -> None:
        """Called for each answer with vectors, whether or not it arrives."""
        work = CURRENT.get()
        if work is not None and work.step is not None:
            self._billed(request, work.step[0], tokens)

    def _billed(self, request: object, run_id: str, tokens: Tokens) -> None:
        version = self.version_of(run_id)
        if not self.bills.add(request, run_id, tokens) or version is None:
            return
        for invariant, what in overspent(self.bills, run_id, version.flow.budget, self.documents):
            self.note(invariant, what)

    def answered(self, work: Work, status: int) -> None:
        """Called for each answer that a stage gives."""
        report = work.told
        if report is not None and report.outcome == "crashed":
            self.note("no-defect", f"{work.instance.name}: {report.details.get('stack_trace')}")
        if 200 <= status < 300:
            obeyed(self, work)
            for invariant, what in _acknowledged(self, work):
                self.note(invariant, what)

    def logged(self, kind: str, run_id: str) -> None:
        """Called for each log line that tells of a run's start or end."""
        about = (kind, run_id)
        self.told[about] += 1
        if self.told[about] > self.happened[about]:
            times = f"{self.told[about]} times, and happened {self.happened[about]} times"
            self.note("told-once", f"{kind} of {run_id} was told {times}")

    # -- what is known ----------------------------------------------------------------------

    def version_of(self, run_id: str) -> FlowVersion | None:
        """What a run is pinned to, by its record."""
        run = self.documents.get(run_path(run_id))
        return None if run is None else self.versions.get(run["flow_version"])


Found = Iterator[tuple[str, str]]


def _acknowledged(watch: Watch, work: Work) -> Found:
    key, is_buried = watch.accepted.get(work.message_id), work.message_id in watch.buried
    if key is not None and not is_buried and event_path(key) not in watch.documents:
        yield "event-stored", f"event {key} was acknowledged and is not stored"
    if work.told is not None and work.told.disposition == "bury" and not is_buried:
        yield "dead-letters", f"message {work.message_id} was given up without a letter"
    if work.subscription.endswith("-dead") and not is_kept(watch, work):
        yield "dead-letters", f"letter {work.message_id} was acknowledged and is not stored"


def _unchecked(_watch: Watch, _change: Change) -> Found:
    yield from ()


def _event(_watch: Watch, change: Change) -> Found:
    before, after = change.before, change.after
    if after is None:
        yield "event-stored", f"{change.path} was deleted"
    elif before is not None and {**before, "runs": ()} != {**after, "runs": ()}:
        yield "event-stored", f"{change.path} was changed"


def _run(watch: Watch, change: Change) -> Found:
    before, after = change.before, change.after
    if after is None:
        yield "terminal-run", f"{change.path} was deleted"
        return
    run_id = change.path.split("/")[1]
    resumed(watch, run_id, after)
    for broken in watch.lines.changed(watch.version_of(run_id), run_id, before, after):
        yield "order", broken
    if after["status"] in _FINAL and (before is None or before["status"] not in _FINAL):
        watch.happened["run_ended", run_id] += 1
    if before is None:
        watch.happened["run_started", run_id] += 1
        yield from _second_run(watch, change.path, after)
        told = orphan(watch.documents, run_id, after)
        if told is not None:
            yield "children", told
        return
    if before["status"] in _FINAL and not (_reopened(before, after) or was_heard(before, after)):
        yield "terminal-run", f"{change.path} had {before['status']} and was changed"
    if before["flow_version"] != after["flow_version"]:
        yield "pinned", f"{change.path} was moved to flow version {after['flow_version']}"


def _second_run(watch: Watch, path: str, run: Fields) -> Found:
    for other, fields in watch.documents.items():
        is_run = other != path and other.startswith("runs/") and other.count("/") == 1
        if is_run and _origin(fields) == _origin(run):
            yield "one-run", f"{path} and {other} are runs of one flow for one event"


def _origin(run: Fields) -> tuple[Any, Any]:
    return run["flow"], run["event_key"]


def _reopened(before: Fields, after: Fields) -> bool:
    redriven = after["redrives"] == before["redrives"] + 1
    goes_on = after["status"] in {"running", "waiting"}
    return bool(before["status"] == "failed" and goes_on and redriven)


def _step(watch: Watch, change: Change) -> Found:
    before, after = change.before, change.after
    if after is None:
        yield "result-once", f"{change.path} was deleted"
        return
    if _is_forgotten(before, after):
        return
    was, now = before["status"] if before else "pending", after["status"]
    yield from begins(watch, change)
    was_redriven = (was, now) == ("failed", "pending") and not is_provided_for(before or {})
    if was in _FINAL and not was_redriven:
        yield "result-once", f"{change.path} was recorded as {was} and then as {now}"
    yield from _tries(watch, change.path, after)
    told = broken_return(watch.documents, after)
    if told is not None:
        yield "children", f"{change.path}: {told}"
    told = from_the_cache(watch.documents, after)
    if told is not None:
        yield "cache", f"{change.path} {told}"
    if leads_on(after):
        watch.results[change.path] += 1
        if watch.results[change.path] > 1:
            yield "result-once", f"{change.path} has {watch.results[change.path]} results"


def _is_forgotten(before: Fields | None, after: Fields) -> bool:
    """Whether all that has changed is that nothing more follows from the end of a wait."""
    if before is None or before["status"] not in _FINAL or after.get("due") is not None:
        return False
    return {**before, "due": None} == {**after, "due": None}


def _tries(watch: Watch, path: str, after: Fields) -> Found:
    _, run_id, _, name = path.split("/")
    version, run = watch.version_of(run_id), watch.documents.get(run_path(run_id))
    if version is not None and run is not None:
        told = tries_too_many(version.flow.declared(name), after, run["redrives"])
        if told is not None:
            yield "retries", f"{path} {told}"


def _begins(topic: str, step: str) -> bool:
    """Whether such a message follows from what is recorded: `compose` records nothing."""
    is_part = instance_of(step).part is not None
    return topic in {"compose", "act"} or (topic == "generate" and is_part)


def _join(watch: Watch, change: Change) -> Found:
    _, run_id, _, name = change.path.split("/")
    version = watch.version_of(run_id)
    if version is None or change.after is None:
        yield "join-once", f"{change.path} counts for a run that is not there"
        return
    width, after = version.flow.width(name), change.after
    if after["arrived"] > width or after["succeeded"] > width:
        yield "join-once", f"{change.path} counts {after['arrived']}, but only {width} lead there"


def _flow(watch: Watch, change: Change) -> Found:
    """Versions that undo a run are made while it is played."""
    if change.after is not None:
        version = FlowVersion.model_validate_json(change.after["declaration"])
        watch.versions.setdefault(change.path.split("/")[1], version)
    yield from ()


_CHANGE_CHECKS: Mapping[str, Callable[[Watch, Change], Found]] = {
    "flows": _flow,
    "events": _event,
    "runs": _run,
    "runs/steps": _step,
    "runs/joins": _join,
    "dead_letters": changed_letter,
    "runs/blackboard": written,
    "cache": kept_answer,
    "breakers": moved_breaker,
    "collections/documents": changed_document,
}
