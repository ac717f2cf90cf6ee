"""What the CLI talks to: the local system if one is up, else what the environment names."""

from __future__ import annotations

import os
from functools import lru_cache

from shared.calls import registered_names
from shared.cli.state import STATE_DIR, State, read_state
from shared.delivery.deps import Deps
from shared.errors import UsageError
from shared.prompting.library import Library, read_library
from shared.runtime.container import build_deps
from shared.runtime.settings import settings

_NAMED = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")


class NothingRunningError(UsageError):
    """Start the local system with `segue up`, or name a project with GOOGLE_CLOUD_PROJECT."""


@lru_cache(maxsize=1)
def local_state() -> State | None:
    """The local system, unless the environment names other servers."""
    if any(os.environ.get(name) for name in _NAMED[:2]):
        return None
    return read_state(STATE_DIR)


def connect() -> Deps:
    """Ports on the system at hand. Raises NothingRunningError where none can be told."""
    state = local_state()
    if state is not None:
        os.environ.update(state.environment)
        settings.cache_clear()
    elif not any(os.environ.get(name) for name in _NAMED):
        raise NothingRunningError("there is nothing to talk to")
    return build_deps("route", settings())


def library() -> Library:
    """Prompts and flows on disk, checked against the registered functions too."""
    import functions.act.calls  # noqa: F401, PLC0415 - registers; only checking needs it

    return read_library(settings().prompts, registered_names())
