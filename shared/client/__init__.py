"""Segue for Python programs: start a flow, await its result, follow its progress."""

from shared.client.changes import Change
from shared.client.connection import NothingRunningError, SystemGoneError
from shared.client.errors import (
    EventBuriedError,
    EventRefusedError,
    FlowUnknownError,
    NotConnectedError,
    NotObeyedError,
    NotStartedError,
    RunCancelledError,
    RunFailedError,
    RunRefusedError,
    StillRunningError,
    UnreachableError,
)
from shared.client.handles import Published, Run
from shared.client.segue import Segue
from shared.delivery.commands.commanding import (
    PauseRefusedError,
    RunEndedError,
    RunUnknownError,
    SignalRefusedError,
)

__all__ = [
    "Change",
    "EventBuriedError",
    "EventRefusedError",
    "FlowUnknownError",
    "NotConnectedError",
    "NotObeyedError",
    "NotStartedError",
    "NothingRunningError",
    "PauseRefusedError",
    "Published",
    "Run",
    "RunCancelledError",
    "RunEndedError",
    "RunFailedError",
    "RunRefusedError",
    "RunUnknownError",
    "Segue",
    "SignalRefusedError",
    "StillRunningError",
    "SystemGoneError",
    "UnreachableError",
]
