"""What the CLI talks to: the local system if one is up, else what the environment names."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from shared.calls import registered_names
from shared.cli.state import STATE_DIR, State, read_state
from shared.delivery.deps import Deps
from shared.errors import UsageError
from shared.ports import StageReport
from shared.prompting.library import Library, read_library
from shared.runtime.container import build_deps
from shared.runtime.settings import settings

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_PATIENCE = 1.0  # seconds
_NAMED = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")


class SystemGoneError(UsageError):
    """This shell still points at a system that is gone: open a new one, or unset the variable."""


class NothingRunningError(UsageError):
    """Start the local system with `segue up`, or name a project with GOOGLE_CLOUD_PROJECT."""


@lru_cache(maxsize=1)
def local_state() -> State | None:
    """The local system, unless the environment names other servers."""
    if any(os.environ.get(name) for name in _NAMED[:2]):
        return None
    return read_state(STATE_DIR)


def connect() -> Deps:
    """Ports on the system at hand.

    Raises NothingRunningError where none can be told, SystemGoneError where it is no more.
    """
    state = local_state()
    if state is not None:
        os.environ.update(state.environment)
        settings.cache_clear()
    elif not any(os.environ.get(name) for name in _NAMED):
        raise NothingRunningError("there is nothing to talk to")
    else:
        require_answering({name: os.environ.get(name, "") for name in _NAMED[:2]})
    return replace(build_deps("route", settings()), telemetry=_Unheard())


def require_answering(addresses: Mapping[str, str]) -> None:
    """Raises SystemGoneError where an address of this machine has nobody listening.

    A client would try it again and again; and what listens on this machine does so at once.
    """
    for name, address in addresses.items():
        named, _, port = address.rpartition(":")
        host = named.strip("[]")
        if host not in _THIS_MACHINE or not port.isdecimal():
            continue
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise SystemGoneError(f"{name} is {address}, where nothing answers") from error


class _Unheard:
    """Implements `Telemetry`: what a command did, it says itself, and standard output is its own.

    So a run that a redrive finds at its end ends without a line.
    """

    def report(self, report: StageReport) -> None: ...

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None: ...

    async def flush(self) -> None: ...


def library() -> Library:
    """Prompts and flows on disk, checked against the registered functions too."""
    import functions.act.calls  # noqa: F401, PLC0415 - registers; only checking needs it

    return read_library(settings().prompts, registered_names())
