"""Measures what flows are made of on a running local system: a long chain, a wide map, and many
runs that wait.

Decides how each is timed. Must not know the floor that it is held against.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1 import types as pubsub

from shared.client.local_state import State
from shared.domain import ids
from shared.domain.commands import Signal
from shared.domain.records import RunRecord, RunStatus, run_path
from shared.ports import Query, Store
from shared.runtime.settings import ROOT

STEPS, ITEMS, RUNS = 20, 1000, 1000
_CHAINS = 7
_BATCH = 100
_LOOK = 0.005  # seconds between two looks at a run
_LOOK_AT_MANY = 0.1
_PATIENCE = 300.0
_LOG = "action: log.write, with: {message: m}"
_FLOWS = {
    "bench-chain": "".join(
        f"  s{n}: {{{f'needs: s{n - 1}, ' if n else ''}{_LOG}}}\n" for n in range(STEPS)
    ),
    "bench-map": f'  all: {{foreach: "range({ITEMS})", {_LOG}}}\n',
    "bench-wait": f"  go: {{wait: {{for: signal, timeout: 1d}}}}\n  then: {{needs: go, {_LOG}}}\n",
}


@dataclass(frozen=True)
class Figure:
    """`count` things took so many milliseconds each, on average or, of chains, in the median."""

    what: str
    count: int
    ms_each: float


def prompts_with_constructs(folder: Path) -> Path:
    """The shipped prompts and flows with those that are measured beside them."""
    prompts = folder / "prompts"
    shutil.copytree(ROOT / "prompts", prompts)
    for name, steps in _FLOWS.items():
        text = f"flow: {name}\non: {{event: {name}}}\nsteps:\n{steps}"
        (prompts / "flows" / f"{name}.yaml").write_text(text, "utf-8")
    return prompts


class Constructs:
    """Publishes, and looks at the records until all has ended."""

    def __init__(self, state: State, store: Store) -> None:
        self._topic = f"projects/{state.environment['GOOGLE_CLOUD_PROJECT']}/topics/segue-events"
        self._publisher = PublisherAsyncClient()
        self._store = store

    async def measured(self) -> list[Figure]:
        """One after another, on a system that does nothing else."""
        chains = [await self._run("bench-chain", f"chain-{n}") for n in range(_CHAINS)]
        wide = await self._run("bench-map", "map")
        return [
            Figure("a step of a chain", STEPS, statistics.median(chains[1:]) / STEPS * 1000),
            Figure("an item of a map", ITEMS, wide / ITEMS * 1000),
            *await self._waits(),
        ]

    async def _run(self, flow: str, event_id: str) -> float:
        """Seconds from publishing an event to the end of its run."""
        started = time.monotonic()
        await self._publish([_event(flow, event_id)])
        path = run_path(_run_id(flow, event_id))
        async with asyncio.timeout(_PATIENCE):
            while not await self._is_over(path):  # noqa: ASYNC110 - others write it
                await asyncio.sleep(_LOOK)
        return time.monotonic() - started

    async def _is_over(self, path: str) -> bool:
        found = await self._store.get(path)
        return found is not None and RunRecord.of(found.data).status.is_final

    async def _waits(self) -> list[Figure]:
        names = [f"wait-{n}" for n in range(RUNS)]
        waiting = Query("steps", (("due", ">", datetime.now(UTC)),), group=True)
        opened = await self._many([_event("bench-wait", n) for n in names], waiting)
        signals = [_signal(_run_id("bench-wait", name)) for name in names]
        ended = Query(
            "runs", (("flow", "==", "bench-wait"), ("status", "==", RunStatus.SUCCEEDED.value))
        )
        resumed = await self._many(signals, ended)
        return [
            Figure("a run opened until it waits", RUNS, opened / RUNS * 1000),
            Figure("a waiting run from its signal to its end", RUNS, resumed / RUNS * 1000),
        ]

    async def _many(self, messages: Sequence[pubsub.PubsubMessage], query: Query) -> float:
        """Seconds until as many documents are found."""
        started = time.monotonic()
        for at in range(0, len(messages), _BATCH):
            await self._publish(messages[at : at + _BATCH])
        async with asyncio.timeout(_PATIENCE):
            while await self._store.count(query) < len(messages):  # noqa: ASYNC110 - as above
                await asyncio.sleep(_LOOK_AT_MANY)
        return time.monotonic() - started

    async def _publish(self, messages: Sequence[pubsub.PubsubMessage]) -> None:
        await self._publisher.publish(topic=self._topic, messages=list(messages))


def _event(flow: str, event_id: str) -> pubsub.PubsubMessage:
    return _message({}, {"ce-type": flow, "ce-id": event_id})


def _signal(run_id: str) -> pubsub.PubsubMessage:
    return _message({"run": run_id, "name": "go"}, {"ce-type": Signal.type})


def _message(data: Mapping[str, str], attributes: Mapping[str, str]) -> pubsub.PubsubMessage:
    return pubsub.PubsubMessage(data=json.dumps(dict(data)).encode(), attributes=dict(attributes))


def _run_id(flow: str, event_id: str) -> str:
    return ids.run_id(flow, ids.event_key(ids.UNNAMED_SOURCE, event_id))
