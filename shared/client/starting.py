"""The event that starts one flow and no other: the flow's own, or the one with its name.

Decides type, source and subject from the flow's trigger. Must not know who sends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from shared.client.errors import EventRefusedError, FlowUnknownError
from shared.client.sending import Draft
from shared.domain.events import ONLY_FLOW
from shared.domain.flow import EventTrigger, Flow, ScheduleTrigger
from shared.domain.starts.by_name import START
from shared.domain.starts.schedules import DUE, FLOW_NAME
from shared.domain.version import FlowVersion

_WILD = frozenset("*?[")


def encoded(data: Any) -> bytes:
    """JSON of plain values, pydantic models and dataclasses. Raises EventRefusedError."""
    try:
        return to_json(data)
    except PydanticSerializationError as error:
        raise EventRefusedError(f"the data is not JSON: {error}") from error


def plain(data: Any) -> Any:
    """The same as lists, mappings, texts and numbers. Raises EventRefusedError."""
    return json.loads(encoded(data))


def source_of(flow: str) -> str:
    """Ids of events that start a flow by its name are its own: no other event shares them."""
    return f"/flows/{flow}"


def start_of(
    name: str, data: Any, event_type: str | None, known: Mapping[str, FlowVersion]
) -> Draft:
    """The event; `known` flows tell its type where none is given. None is the data `{}`.

    A schedule's event is its tick, with its data where none is given; a flow that is not known, or
    has no one type of its own, is started by its name. Raises FlowUnknownError, EventRefusedError.
    """
    found = known.get(name)
    if event_type is None:
        _require_possible(name)
        event_type = _type_of(found.flow if found else None)
    if data is None:
        data = _data_of(found.flow if found else None)
    draft = Draft(
        event_type,
        encoded(data),
        source=source_of(name),
        attributes={ONLY_FLOW: name},
    )
    return replace(draft, subject=name) if event_type in {DUE, START} else draft


def _require_possible(name: str) -> None:
    if re.fullmatch(FLOW_NAME, name) is None:
        raise FlowUnknownError(f"no flow can be called {name!r}")


def _type_of(flow: Flow | None) -> str:
    match flow.on if flow is not None else None:
        case ScheduleTrigger():
            return DUE
        case EventTrigger(event=event) if _WILD.isdisjoint(event):
            return event
        case _:
            return START


def _data_of(flow: Flow | None) -> dict[str, Any]:
    if flow is None or not isinstance(flow.on, ScheduleTrigger):
        return {}
    return flow.on.schedule.data
