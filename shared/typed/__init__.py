"""Flows as Python classes: typed events, `@step` methods, and a graph taken from annotations."""

from shared.domain.retry import Backoff, Retry
from shared.domain.step import Fallback
from shared.typed.context import Context
from shared.typed.errors import FlowInvalidError, FlowNameTakenError
from shared.typed.events import Event, ProgressEvent, StartEvent, StopEvent
from shared.typed.flow import Flow
from shared.typed.steps import step

__all__ = [
    "Backoff",
    "Context",
    "Event",
    "Fallback",
    "Flow",
    "FlowInvalidError",
    "FlowNameTakenError",
    "ProgressEvent",
    "Retry",
    "StartEvent",
    "StopEvent",
    "step",
]
