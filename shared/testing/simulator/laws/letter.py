"""What must hold of dead letters: one for each message that was given up, whole, and not two.

Reads what the watch knows; notes nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.delivery.scope import BLOB
from shared.domain.envelope import Message
from shared.domain.instances import instance_of
from shared.domain.records import run_path, step_path
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.instance import Work
from shared.testing.simulator.laws.graph import leads_on

if TYPE_CHECKING:
    from shared.testing.simulator.invariants import Watch


def is_kept(watch: Watch, work: Work) -> bool:
    """What is in a blob by now cannot be told from here."""
    redrives = Message(work.data, work.attributes).redrives
    identity = _identity(work.data, work.attributes, redrives)
    kept = BLOB in work.attributes or identity in watch.kept
    return kept or _is_rerouted(watch, work, redrives)


def _is_rerouted(watch: Watch, work: Work, redrives: int) -> bool:
    """Whether nobody needs the letter: the run was cancelled, or goes on, or was sent on since."""
    if work.step is None:
        return False
    run_id, name = work.step
    run, version = watch.documents.get(run_path(run_id)), watch.version_of(run_id)
    if run is None or version is None:
        return False
    if run["status"] == "cancelled":
        return True
    is_item = not instance_of(name).is_whole
    declared = version.flow.declared(name)
    has_value = declared.fallback is not None and declared.fallback.is_value
    if not (is_item or declared.survives or has_value):
        return False
    step = watch.documents.get(step_path(run_id, name))
    ended = step is not None and (leads_on(step) or (is_item and step["status"] == "failed"))
    return run["redrives"] > redrives or ended


def changed_letter(watch: Watch, change: Change) -> Iterator[tuple[str, str]]:
    letter = change.after
    if letter is None:
        yield "dead-letters", f"{change.path} was deleted"
        return
    attributes = json.loads(letter["attributes"])
    watch.kept.add(_identity(letter["data"], attributes, letter["redrives"]))
    if not letter["error"]["message"]:
        yield "dead-letters", f"{change.path} has no reason"
    if letter["blob"] is None and (letter["stage"], letter["data"]) not in watch.sent:
        yield "dead-letters", f"{change.path} does not hold the bytes of its message"
    about = _stopped(letter)
    for other, fields in watch.documents.items():
        is_letter = other != change.path and other.startswith("dead_letters/")
        if about is not None and is_letter and _stopped(fields) == about:
            yield "dead-letters", f"{change.path} and {other} are letters of one message"


def _stopped(letter: Fields) -> tuple[Any, ...] | None:
    """The message of a step that a letter is about; None where it is another message."""
    about = letter["stage"], letter["run_id"], letter["step"], letter["redrives"]
    return None if letter["step"] is None else about


def _identity(data: bytes, attributes: Mapping[str, str], redrives: int) -> Hashable:
    """Equal for copies of a message that one letter stands for."""
    return attributes.get("segue-id", data), redrives
