"""How a simulation's events read: one short sentence each, for the story.

Pure text; decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.domain.envelope import Message
from shared.ports import StageReport
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.instance import Work


def told_of_change(change: Change) -> str:
    """What a commit did to a document; empty where it is of no interest to people."""
    parts = change.path.split("/")
    kind = parts[0] if len(parts) == 2 else f"{parts[0]}/{parts[2]}"
    if change.after is None:
        return f"deletes {change.path}"
    tell = _CHANGES.get(kind)
    return tell(parts, change.before, change.after) if tell else f"writes {change.path}"


def _event(parts: list[str], before: Fields | None, _after: Fields) -> str:
    return f"stores event {parts[1]}" if before is None else f"notes a run on event {parts[1]}"


def _run(parts: list[str], before: Fields | None, after: Fields) -> str:
    if before is None:
        return f"opens run {parts[1]}"
    error = after["error"]["code"] if after["error"] else ""
    return f"run {parts[1]} is {after['status']} {error}".rstrip()


def _step(parts: list[str], before: Fields | None, after: Fields) -> str:
    status, step = after["status"], parts[3]
    if status == "running" and after.get("mapped", "null") != "null":
        return f"begins map {step}" if before is None else f"continues map {step}"
    if status == "running":
        told = "claims" if before is None else "takes over"
        return f"{told} step {step}, fence {after['fence']}"
    if status == "pending":
        return f"gives step {step} back"
    error = f" {after['error']['code']}" if after["error"] else ""
    return f"records step {step}: {status}{error}"


def _join(parts: list[str], _before: Fields | None, after: Fields) -> str:
    return f"join {parts[3]} counts {after['arrived']}, {after['succeeded']} of them succeeded"


def _letter(parts: list[str], before: Fields | None, after: Fields) -> str:
    if before is None:
        return f"keeps dead letter {parts[1]}: {after['error']['code']}"
    return f"dead letter {parts[1]} is {after['status']}"


_CHANGES: Mapping[str, Callable[[list[str], Fields | None, Fields], str]] = {
    "events": _event,
    "runs": _run,
    "runs/steps": _step,
    "runs/joins": _join,
    "dead_letters": _letter,
}


def told_of_message(topic: str, message: Message, message_id: str) -> str:
    """What was published."""
    return f"publishes {_about(message.attributes)}to {topic} as {message_id}"


def told_of_delivery(work: Work) -> str:
    """What a stage was given."""
    attempt = f", attempt {work.attempt}" if work.attempt else ""
    return f"gets {_about(work.attributes)}message {work.message_id}{attempt}"


def told_of_answer(report: StageReport | None, status: int) -> str:
    """What a stage said to it."""
    if report is None:
        return f"answers {status}"
    error = f", {report.error.code}" if report.error else ""
    return f"{_SAYS[report.disposition]} message {report.message_id}: {report.outcome}{error}"


_SAYS = {"ack": "acks", "nack": "nacks", "bury": "buries"}


def _about(attributes: Mapping[str, str]) -> str:
    step, event = attributes.get("segue-step"), attributes.get("ce-id")
    return f"step {step}, " if step else f"event {event}, " if event else ""
