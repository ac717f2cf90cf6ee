"""The client: starts flows and hands out what one waits with. Decides nothing about runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, overload

from shared.client.connection import PROJECT, connect
from shared.client.errors import NotConnectedError, UnreachableError
from shared.client.handles import Link, Published, Run
from shared.client.local_state import STATE_DIR
from shared.client.pace import LOOKS_PER_SECOND, Turns
from shared.client.sending import Draft, Ports, Sent, send
from shared.client.starting import encoded, start_of
from shared.client.typed import start_of_class
from shared.domain import ids
from shared.errors import Transient
from shared.typed.flow import Flow, Start


class Segue:
    """A connection to a system: the local one that is up, else what the environment names.

    Arguments win over the environment. `ports` are used instead of a connection, as in tests in
    memory. All waits together look no more than `looks_per_second`. Bound to one event loop.
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        prefix: str | None = None,
        database: str | None = None,
        state_dir: Path = STATE_DIR,
        ports: Ports | None = None,
        looks_per_second: float = LOOKS_PER_SECOND,
    ) -> None:
        given = {PROJECT: project, "SEGUE_PREFIX": prefix, "SEGUE_DATABASE": database}
        self._given = {name: text for name, text in given.items() if text is not None}
        self._state_dir = state_dir
        self._ports = ports
        self._turns = Turns(looks_per_second)
        self._link: Link | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises NothingRunningError, SystemGoneError, SettingsInvalidError, CloudLoginError."""
        ports = self._ports
        if ports is None:
            made = connect(self._given, self._state_dir)
            self._open.push_async_callback(made.close)
            ports = made
        self._link = Link(ports, self._turns)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._link = None
        await self._open.aclose()

    @overload
    async def start(
        self,
        flow: type[Flow[Start, Any]],
        data: Start,
        *,
        id: str | None = None,
        correlation_id: str | None = None,
        event_type: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Run: ...

    @overload
    async def start(
        self,
        flow: str,
        data: Any = None,
        *,
        id: str | None = None,
        correlation_id: str | None = None,
        event_type: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Run: ...

    async def start(
        self,
        flow: Any,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - what CloudEvents calls it
        correlation_id: str | None = None,
        event_type: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Run:
        """Starts a flow by its name or class, and no other; returns when the broker has the event.

        The same flow and `id` are the same run, whatever the data. Its event is the one that the
        flow takes, or has its `event_type`; a flow that takes many types, or is not in
        SEGUE_PROMPTS, is started by its name alone. Raises FlowUnknownError, EventRefusedError,
        UnreachableError; that the data does not fit the flow, the run tells.
        """
        link = self._connected()
        if not isinstance(flow, str):
            flow, own_type = start_of_class(flow, data)
            event_type = event_type or own_type
        known = link.ports.flows.current() if event_type is None else {}
        draft = start_of(flow, data, event_type, known)
        draft = replace(
            draft,
            id=id,
            correlation_id=correlation_id,
            attributes={**(attributes or {}), **draft.attributes},
        )
        sent = await _send(draft, link.ports)
        return Run(link, ids.run_id(flow, sent.event.key), sent)

    async def publish(  # noqa: PLR0913 - one argument an attribute of the event
        self,
        event_type: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - what CloudEvents calls it
        source: str | None = None,
        subject: str | None = None,
        key: str | None = None,
        correlation_id: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Published:
        """Publishes an event for whatever flows take it; returns when the broker has it.

        Data is JSON, a pydantic model or a dataclass; None is `{}`. The same source and `id` are
        the same event. Raises EventRefusedError, UnreachableError.
        """
        link = self._connected()
        draft = Draft(
            event_type,
            encoded({} if data is None else data),
            source,
            id,
            key,
            correlation_id,
            subject,
            attributes or {},
        )
        return Published(link, await _send(draft, link.ports))

    def run(self, run_id: str) -> Run:
        """A run by its id, whoever started it."""
        return Run(self._connected(), run_id)

    def _connected(self) -> Link:
        if self._link is None:
            raise NotConnectedError("the client is not connected")
        return self._link


async def _send(draft: Draft, ports: Ports) -> Sent:
    try:
        return await send(draft, ports)
    except Transient as error:
        raise UnreachableError(error.detail) from error
