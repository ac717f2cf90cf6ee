"""The event that starts one flow and no other: the one that the flow itself takes.

Decides type, source and subject from the flow's trigger. Must not know who sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from shared.client.errors import EventRefusedError, FlowUnknownError
from shared.client.sending import Draft
from shared.domain.flow import Flow, ScheduleTrigger
from shared.domain.schedules import DUE
from shared.domain.version import FlowVersion

ONLY_FLOW = "segue-flow"  # attribute: `route` offers the event to this flow alone
_WILD = frozenset("*?[")


def encoded(data: Any) -> bytes:
    """JSON of plain values, pydantic models and dataclasses. Raises EventRefusedError."""
    try:
        return to_json(data)
    except PydanticSerializationError as error:
        raise EventRefusedError(f"the data is not JSON: {error}") from error


def source_of(flow: str) -> str:
    """Ids of events that start a flow by its name are its own: no other event shares them."""
    return f"/flows/{flow}"


def start_of(
    name: str, data: Any, event_type: str | None, known: Mapping[str, FlowVersion]
) -> Draft:
    """The event; `known` flows tell its type where none is given. None is the data `{}`.

    A schedule's event is its tick, with its data where none is given. Raises FlowUnknownError,
    EventRefusedError.
    """
    found = known.get(name)
    if event_type is None:
        event_type = _type_of(name, found.flow if found else None)
    if data is None:
        data = _data_of(found.flow if found else None)
    draft = Draft(
        event_type,
        encoded(data),
        source=source_of(name),
        attributes={ONLY_FLOW: name},
    )
    return replace(draft, subject=name) if event_type == DUE else draft


def _type_of(name: str, flow: Flow | None) -> str:
    if flow is None:
        raise FlowUnknownError(f"there is no flow {name!r} here")
    if isinstance(flow.on, ScheduleTrigger):
        return DUE
    if _WILD.isdisjoint(flow.on.event):
        return flow.on.event
    raise FlowUnknownError(f"flow {name!r} takes events of many types: {flow.on.event!r}")


def _data_of(flow: Flow | None) -> dict[str, Any]:
    if flow is None or not isinstance(flow.on, ScheduleTrigger):
        return {}
    return flow.on.schedule.data
