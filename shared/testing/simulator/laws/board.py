"""Whether a blackboard holds what the calls of a run have written, each of them once.

By the records of entries and calls alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.agents.blackboard import KEPT_CALLS, READ, WRITE, board_of
from shared.testing.simulator.engine import Change, Fields


def is_read(step: Fields) -> bool:
    """Whether it is a call that reads: when what it finds was written, is a matter of chance."""
    return _call(step).get("name") == READ.name


def written(_watch: object, change: Change) -> Iterator[tuple[str, str]]:
    """An entry changes by one call at a time, which is noted behind the others."""
    after = change.after
    before = tuple(change.before["calls"]) if change.before is not None else ()
    if after is None:
        return
    *earlier, last = after["calls"]
    if last in before or tuple(earlier) != before[-KEPT_CALLS + 1 :]:
        yield "blackboard", f"{change.path} has {after['calls']} after {list(before)}"


def broken_board(
    documents: Mapping[str, Fields], run_id: str, steps: Mapping[str, Fields]
) -> Iterator[str]:
    """What is wrong with the entries of a run that has ended well."""
    prefix = f"{board_of(run_id)}/"
    entries = {path: fields for path, fields in documents.items() if path.startswith(prefix)}
    calls: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, step in steps.items():
        call = _call(step)
        if call.get("name") == WRITE.name and "written" in json.loads(step["output"] or "{}"):
            calls[f"{prefix}{call['args']['key']}"][name] = call["args"]["value"]
    for path in sorted(entries.keys() | calls.keys()):
        entry = entries.get(path, {"calls": (), "value": "null"})
        told = list(entry["calls"])
        if sorted(told) != sorted(calls[path]):
            yield f"{path} was written by {told}, and these have: {sorted(calls[path])}"
        elif json.loads(entry["value"]) != calls[path][told[-1]]:
            yield f"{path} holds {entry['value']}, and {told[-1]} has written it last"


def _call(step: Fields) -> dict[str, Any]:
    """What a call of a tool asks for; nothing of other steps."""
    note = json.loads(step.get("agent") or "null") or {}
    call: dict[str, Any] = note["call"] if note.get("kind") == "call" else {}
    return call
