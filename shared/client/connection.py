"""Which system a client or a command talks to: the local one if one is up, else what is named.

Google's clients read the environment when they are constructed; only then is it changed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.client.local_state import STATE_DIR, read_state
from shared.errors import UsageError
from shared.runtime.container import ClientPorts, build_client_ports
from shared.runtime.settings import read_settings

PROJECT = "GOOGLE_CLOUD_PROJECT"
_EMULATORS = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_PATIENCE = 1.0  # seconds


class SystemGoneError(UsageError):
    """This shell still points at a system that is gone: open a new one, or unset the variable."""


class NothingRunningError(UsageError):
    """Start the local system with `segue up`, or name a project with GOOGLE_CLOUD_PROJECT."""


@contextmanager
def pointed_at(environment: Mapping[str, str]) -> Iterator[None]:
    """Clients constructed in the block talk to what the environment names; it is then as before."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


def connect(given: Mapping[str, str], directory: Path = STATE_DIR) -> ClientPorts:
    """Ports on the system at hand, for the running event loop; `given` variables win.

    Raises NothingRunningError, SystemGoneError, SettingsInvalidError, CloudLoginError.
    """
    with pointed_at(environment_at_hand(given, directory)):
        return build_client_ports(read_settings())


def environment_at_hand(given: Mapping[str, str], directory: Path = STATE_DIR) -> dict[str, str]:
    """What the environment must have beside what it has; `given` is a part of it.

    The local system's, unless emulators or another project are named. Raises NothingRunningError
    where nothing is, SystemGoneError where what is named is no more.
    """
    named = {**os.environ, **given}
    emulators = {name: named.get(name, "") for name in _EMULATORS}
    if not any(emulators.values()):
        state = read_state(directory)
        if state is not None and given.get(PROJECT) in {None, state.environment.get(PROJECT)}:
            return {**state.environment, **given}
        if not named.get(PROJECT):
            raise NothingRunningError("there is nothing to talk to")
    require_answering(emulators)
    return dict(given)


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
