"""Waits until a run shows that it was cancelled, paused or resumed."""

from __future__ import annotations

import asyncio

from shared.client.errors import NotObeyedError
from shared.client.pace import Pace
from shared.client.sending import Ports
from shared.delivery.commands.commanding import require_open
from shared.domain.commands import Cancel, Pause, Resume
from shared.domain.records import RunRecord, RunStatus, run_path

PATIENCE = 60.0  # seconds until a command that nobody has obeyed is told of


async def shown(
    command: Cancel | Pause | Resume, ports: Ports, pace: Pace, *, seconds: float = PATIENCE
) -> RunRecord:
    """The run, once it shows what was asked for.

    Raises RunEndedError where it has ended otherwise by then, NotObeyedError where it shows
    nothing within so many seconds, UnreachableError.
    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                run = await pace.look(lambda: _record(command.run, ports))
                if run is not None and _is_done(command, run):
                    return run
                if run is not None:
                    require_open(command, run)
                await pace.wait()
    except TimeoutError as error:
        told = f"run {command.run} shows nothing of it within {seconds:g} s"
        raise NotObeyedError(told) from error


async def _record(run_id: str, ports: Ports) -> RunRecord | None:
    found = await ports.store.get(run_path(run_id))
    return RunRecord.of(found.data) if found is not None else None


def _is_done(command: Cancel | Pause | Resume, run: RunRecord) -> bool:
    if isinstance(command, Cancel):
        return run.status is RunStatus.CANCELLED
    return not run.status.is_final and run.is_paused is isinstance(command, Pause)
