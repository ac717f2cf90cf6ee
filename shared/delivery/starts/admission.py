"""Decides of a run about to be opened whether it begins, waits for its turn, or is dropped.

The commit that opens the run must hold the writes given here: they fence what was decided on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.ending import end_of_run
from shared.domain.events import Event
from shared.domain.expressions import Variables
from shared.domain.flow import Flow
from shared.domain.records import Failure, RunRecord, RunStatus, run_path
from shared.domain.starts.control import (
    Debounce,
    Key,
    Over,
    Rate,
    Turn,
    Verdict,
    admit,
    key_of,
    quiet_until,
    slot_of,
)
from shared.domain.starts.lanes import ControlRecord, control_path, debounced, dropped, replaced
from shared.domain.version import FlowVersion
from shared.errors import InputInvalidError
from shared.ports import Create, Document, Query, Update, Write
from shared.prompting.render import schema_problem

LOOK_EVERY = timedelta(seconds=60)  # how long a wake-up that was lost goes unnoticed
_SUPERSEDED_AT_ONCE = 20


@dataclass(frozen=True)
class Admission:
    """What a run is opened with: `fields` of its record, `writes` beside it.

    `key` is where it waits, if it does not begin at once and has not been dropped.
    """

    begins: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict)
    writes: tuple[Write, ...] = ()
    key: str | None = None


FREE = Admission()


def keys_of(flow: Flow, variables: Variables) -> Mapping[str, Key]:
    """By what a flow controls its runs with: the key of an event. Raises ExpressionError."""
    controls = {"lane": flow.lane, "rate": flow.rate, "debounce": flow.debounce}
    return {
        name: key_of(flow.flow, control.key, variables)
        for name, control in controls.items()
        if control is not None
    }


def require_fitting_event(version: FlowVersion, event: Event) -> None:
    """Whoever chose the flow has chosen: its condition is not asked, but the event has to fit.

    Raises InputInvalidError, ExpressionError.
    """
    schema = version.flow.input
    broken = schema_problem(schema, event.data) if schema is not None else None
    if broken:
        raise InputInvalidError(f"flow {version.flow.flow!r}: event.data {broken}")
    keys_of(version.flow, {"event": event.variables()})


async def admitted_again(run: RunRecord, deps: Deps) -> tuple[dict[str, Any], list[Write]]:
    """How a run that goes on after its end stands with its key: fields of its record, and writes.

    Where there is no room by now it waits, and comes first as it was there before.
    """
    if run.control is None or run.turn is not None:
        return {}, []
    found = await deps.store.get(control_path(run.control))
    if found is None:
        return {}, []
    lane = ControlRecord.of(found.data)
    if lane.limit is None:
        return {}, []
    fence: dict[str, Any] = {"serial": lane.serial + 1, "expire_at": deps.expire_at()}
    fields: dict[str, Any] = {"turn": Turn.BEGUN}
    if await deps.store.count(present(run.control, Turn.BEGUN)) >= lane.limit:
        now = deps.clock.now()
        waits = {"status": RunStatus.WAITING, "turn": Turn.WAITING, "due": now}
        fields = {**waits, "deadline": None}
        fence["look_at"] = now
    return fields, [Update(found.path, fence, found.revision)]


def present(key: str, *turns: Turn) -> Query:
    """The runs of a key that have such a turn."""
    return Query("runs", (("control", "==", key), ("turn", "in", [turn.value for turn in turns])))


class Gate:
    """Where one run of a flow with control by key asks to be let in."""

    def __init__(self, deps: Deps, flow: Flow, run_id: str, variables: Variables) -> None:
        self._deps = deps
        self._flow = flow
        self._run_id = run_id
        self._now = deps.clock.now()
        self._keys = keys_of(flow, variables)
        self._found: dict[str, Document | None] = {}
        self._stands: dict[str, ControlRecord] = {}
        self._others: list[Write] = []  # runs that this one takes the place of
        names = ("lane", "debounce", "rate")
        self._home = next(self._keys[name] for name in names if name in self._keys)

    async def decide(self) -> Admission:
        """Costs a read for each different key, and a count where there is a limit."""
        await self._read()
        lane, here = self._flow.lane, 0
        if lane is not None:
            turns = Turn.BEGUN, Turn.WAITING
            here = await self._deps.store.count(present(self._home.id, *turns))
            if admit(lane.limit, lane.over, here, self._now, self._now) is Verdict.DROP:
                return self._dropped(lane.limit)
        due = await self._due()
        limit = lane.limit if lane is not None else None
        over: Over = lane.over if lane is not None else "wait"
        verdict = admit(limit, over, here, due, self._now)
        if verdict is Verdict.REPLACE:
            await self._replace()
        return self._admitted(due, begins=verdict is Verdict.BEGIN)

    async def _read(self) -> None:
        keys = {key.id: key for key in self._keys.values()}
        found = await self._deps.store.get_many([control_path(name) for name in keys])
        for name, document in zip(keys, found, strict=True):
            self._found[name] = document
            self._stands[name] = (
                ControlRecord.of(document.data)
                if document is not None
                else ControlRecord(
                    flow=self._flow.flow, key=keys[name].text, expire_at=self._deps.expire_at()
                )
            )

    def _change(self, key: Key, **fields: Any) -> ControlRecord:
        self._stands[key.id] = self._stands[key.id].model_copy(update=fields)
        return self._stands[key.id]

    # -- when it may begin at all -----------------------------------------------------------

    async def _due(self) -> datetime:
        due = self._now
        if self._flow.debounce is not None:
            due = await self._quiet_at(self._keys["debounce"], self._flow.debounce)
        if self._flow.rate is not None:
            due = max(due, self._slot(self._keys["rate"], self._flow.rate))
        return due

    def _slot(self, key: Key, rate: Rate) -> datetime:
        slot = slot_of(rate, self._stands[key.id].next_arrival, self._now)
        self._change(key, next_arrival=slot.next_arrival)
        return slot.begins

    async def _quiet_at(self, key: Key, debounce: Debounce) -> datetime:
        stands = self._stands[key.id]
        since = self._now
        if stands.pending is not None and stands.quiet_at is not None:
            earlier = await self._deps.store.get(run_path(stands.pending))
            if earlier is not None and self._is_put_off(earlier, stands.quiet_at):
                self._supersede(earlier, debounced(self._run_id))
                since = stands.since or self._now
        quiet_at = quiet_until(debounce, since, self._now)
        self._change(key, pending=self._run_id, since=since, quiet_at=quiet_at)
        return quiet_at

    def _is_put_off(self, found: Document, quiet_at: datetime) -> bool:
        return RunRecord.of(found.data).is_in_line and quiet_at > self._now

    # -- what becomes of it, and of others --------------------------------------------------

    def _dropped(self, limit: int) -> Admission:
        error = dropped(limit, self._home.text)
        fields = {"status": RunStatus.CANCELLED, "error": error}
        return Admission(begins=False, fields={**fields, "finished_at": self._now})

    async def _replace(self) -> None:
        """Those that still wait for what this one replaces are not wanted any more."""
        found = await self._deps.store.find(present(self._home.id, Turn.WAITING))
        for document in found[:_SUPERSEDED_AT_ONCE]:
            self._supersede(document, replaced(self._run_id))

    def _supersede(self, found: Document, error: Failure) -> None:
        run_id = RunRecord.of(found.data).run_id
        ending = {"status": RunStatus.CANCELLED, "error": error}
        self._others.append(end_of_run(self._deps, run_id, found.revision, **ending))

    def _admitted(self, due: datetime, *, begins: bool) -> Admission:
        home = self._home
        for key in self._keys.values():
            self._change(key, expire_at=self._deps.expire_at())
        ticket = self._stands[home.id].serial + 1
        for key in {key.id: key for key in self._keys.values()}.values():
            self._change(key, serial=self._stands[key.id].serial + 1)
        lane = self._flow.lane
        if lane is not None:
            in_order = self._flow.order_by is not None
            self._change(home, limit=lane.limit, over=lane.over, in_order=in_order)
        if not begins:
            look_at = due if due > self._now else self._now + LOOK_EVERY
            self._change(home, look_at=min(self._stands[home.id].look_at or look_at, look_at))
        writes = (*self._fences(), *self._others)
        stands = {"control": home.id, "ticket": ticket}
        if begins:
            fields = {**stands, "turn": Turn.BEGUN} if lane is not None else {}
            return Admission(fields=fields, writes=writes)
        waiting = {"status": RunStatus.WAITING, "turn": Turn.WAITING, "due": due, "deadline": None}
        return Admission(begins=False, fields={**stands, **waiting}, writes=writes, key=home.id)

    def _fences(self) -> list[Write]:
        writes: list[Write] = []
        for name, record in self._stands.items():
            found, path = self._found[name], control_path(name)
            if found is None:
                writes.append(Create(path, record.document()))
            else:
                writes.append(Update(path, record.document(), found.revision))
        return writes
