"""A running system in the hands of a test: publish as any client would, then wait and look."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1 import types as pubsub

from shared.adapters.firestore_store import FirestoreStore
from shared.client.connection import pointed_at
from shared.client.local_state import State
from shared.delivery.crashpoints import Point
from shared.delivery.deps import Deps
from shared.delivery.runs.report import report_of
from shared.domain import ids
from shared.domain.records import DeadLetterRecord, EventRecord, RunStatus, event_path
from shared.ports import Query
from shared.runtime.container import build_deps
from shared.runtime.settings import Settings
from shared.testing.memory import ManualClock

Found = TypeVar("Found")

_BRANCHES = 50
TEMPLATES = {
    "test/echo": "---\ndescription: Echoes.\nmodel: gemini-2.5-flash\n---\nEcho {{ event.data }}\n",
    "test/desk": "---\ndescription: Notes.\nmodel: gemini-2.5-pro\n---\nNote {{ event.id }}\n",
    "test/rolled": "---\ndescription: Echoes.\nmodel: gemini-2.5-flash\n---\n{{ event.data }}\n",
    "test/last": "---\ndescription: Ends.\nmodel: gemini-2.5-flash\n---\nEnd {{ first.text }}\n",
}
ROLLOUTS = {
    "rolled": "rollout: rolled\nof: {prompt: test/rolled}\ncanary:\n"
    "  {candidate: staging, share: 50%, key: event.data.user, alpha: 0.4, min_runs: 6,"
    " guard: {metric: liked}}\n",
}
FLOWS = {
    "rolled": "flow: rolled\non: {event: test.rolled}\nsteps:\n  say: {prompt: test/rolled}\n"
    "judge:\n  helpful: {prompt: judges/helpful, share: 50%,"
    ' with: {asked: "Says {{ event.data.user }}.", answer: "{{ say.text }}"}}\n',
    "asked": "flow: asked\non: {event: test.asked}\nsteps:\n"
    "  ok: {wait: {for: approval, timeout: 1h}}\n"
    "  go: {needs: ok, wait: {for: signal, name: paid/in full}}\n"
    'outputs: {by: "{{ ok.by }}", paid: "{{ go.data }}"}\n',
    "wide": "flow: wide\non: {event: test.wide}\nsteps:\n"
    + "".join(
        f"  b{n}: {{action: log.write, with: {{message: branch {n}}}}}\n" for n in range(_BRANCHES)
    )
    + f"  join:\n    needs: [{', '.join(f'b{n}' for n in range(_BRANCHES))}]\n"
    + "    action: log.write\n    with: {message: joined}\n",
    "pair": "flow: pair\non: {event: test.pair}\nsteps:\n"
    "  first: {prompt: test/echo}\n"
    "  second: {needs: first, prompt: test/last}\n"
    'outputs: {text: "{{ second.text }}"}\n',
    "turns": "flow: turns\non: {event: test.turns}\norder_by: event.data.key\nsteps:\n"
    "  first: {prompt: test/echo}\n"
    "  second: {needs: first, prompt: test/last}\n",
    "bunch": "flow: bunch\non: {batch: {event: test.bunch, size: 3, wait: 2s, adaptive: true}}\n"
    "steps:\n  note: {action: log.write, with: {message: bunch}}\n"
    "outputs: {ids: \"{{ event.data.events | map(attribute='id') | list }}\"}\n",
    "order": "flow: order\non: {event: test.order}\nsteps:\n"
    "  invoice: {flow: invoice, with: {n: '{{ event.data.n }}'}}\n"
    "  parts:\n    foreach: event.data.parts\n    flow: invoice\n    with: {n: '{{ item }}'}\n"
    "  notify: {flow: invoice, await: false, with: {n: 0}}\n"
    'outputs: {n: "{{ invoice.n }}", parts: "{{ parts | map(attribute=\'n\') | list }}"}\n',
    "invoice": "flow: invoice\non: call\n"
    "input: {type: object, required: [n], properties: {n: {type: integer, minimum: 0}}}\n"
    "steps:\n  book: {action: log.write, with: {message: 'booked {{ event.data.n }}'}}\n"
    'outputs: {n: "{{ event.data.n + 1 }}"}\n',
    "patient": "flow: patient\non: {event: test.patient}\nsteps:\n"
    "  early: {wait: {for: signal}}\n"
    "  nap: {wait: {for: duration, duration: 1s}}\n"
    "  ask: {needs: [early, nap], wait: {for: approval, approvers: [ada]}}\n"
    "  paid:\n    needs: nap\n    wait:\n      for: event\n      type: test.paid\n"
    "      key: event.data.run\n      equals: '{{ run.id }}'\n"
    "outputs: {said: '{{ early.data }}', by: '{{ ask.by }}', paid: '{{ paid.data.amount }}'}\n",
    "ranked": "flow: ranked\non: {event: test.ranked}\npriority: event.data.priority\nsteps:\n"
    "  first: {prompt: test/echo}\n"
    "  second: {needs: first, action: log.write, with: {message: ranked}}\n",
    "undone": "flow: undone\non: {event: test.undone}\non_failure: told\nsteps:\n"
    "  put:\n    action: firestore.set\n"
    "    with: {path: 'put/{{ event.id }}', data: {there: true}}\n"
    "    compensate:\n      action: firestore.set\n"
    "      with: {path: '{{ put.path }}', data: {undone: '{{ run.id }}'}}\n"
    "  bad:\n    needs: put\n    action: firestore.set\n"
    "    with: {path: put/big, data: {text: \"{{ 'x' * 1100000 }}\"}}\n",
    "told": "flow: told\non: call\nsteps:\n  tell:\n    action: firestore.set\n"
    "    with:\n      path: told/{{ event.data.run_id }}\n"
    "      data: {code: '{{ event.data.error.code }}'}\n",
    "thrifty": "flow: thrifty\non: {event: test.thrifty}\n"
    "budget: {usd: 0.01, on_breach: [ask]}\nsteps:\n  first: {prompt: test/echo}\n",
    "team": "flow: team\non: {event: test.team}\nsteps:\n"
    "  front:\n    agent: test/echo\n    tools: [blackboard_read]\n"
    "    hand_offs:\n      desk:\n        agent: test/desk\n        tools:\n"
    "          - blackboard_write\n"
    "          - {flow: invoice, as: book_invoice, description: Books an invoice.}\n"
    'outputs: {said: "{{ front.text }}"}\n',
    "oversized": "flow: oversized\non: {event: test.oversized}\nsteps:\n"
    "  write:\n    action: firestore.set\n    with:\n      path: things/big\n"
    "      data: {text: \"{{ 'x' * 1100000 }}\"}\n",
}


class Harness:
    """Talks to the system's Pub/Sub, Firestore, HTTP front and model stand-in.

    `clock` is the one by which schedules are due: it stands still until a test moves it.
    """

    def __init__(self, state: State, folder: Path, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.state = state
        self.folder = folder
        self.prompts = folder / "prompts"
        with pointed_at(state.environment):
            self.deps: Deps = build_deps("route", Settings())
            self._publisher = PublisherAsyncClient()
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def close(self) -> None:
        """Closes the clients, so that no open connection outlives the tests."""
        await self._http.aclose()

    # -- in ---------------------------------------------------------------------------------

    async def publish(self, event_type: str, data: Any, *, event_id: str | None = None) -> str:
        """Publishes with a plain Pub/Sub client; returns the event id."""
        event_id = event_id or uuid.uuid4().hex
        attributes = {"ce-type": event_type, "ce-id": event_id}
        await self.publish_raw("events", json.dumps(data).encode(), attributes)
        return event_id

    async def publish_raw(self, topic: str, data: bytes, attributes: dict[str, str]) -> str:
        project = self.state.environment["GOOGLE_CLOUD_PROJECT"]
        answer = await self._publisher.publish(
            topic=f"projects/{project}/topics/segue-{topic}",
            messages=[pubsub.PubsubMessage(data=data, attributes=attributes)],
        )
        return str(answer.message_ids[0])

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self._http.post(
            self.state.urls["ingest"] + path, content=body, headers=headers
        )

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A request to the console, by whoever started the system."""
        token = self.state.environment["SEGUE_CONSOLE_TOKEN"]
        headers = {"authorization": f"Bearer {token}"}
        url = self.state.urls["console"] + path
        return await self._http.request(method, url, json=body, headers=headers)

    # -- faults -----------------------------------------------------------------------------

    async def fault(self, name: str, **order: Any) -> None:
        """Arms a fault of the model stand-in."""
        answer = await self._http.post(
            f"{self.state.urls['model']}/_faults", json={"fault": name, **order}
        )
        answer.raise_for_status()

    async def rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Has the model stand-in answer by these; by its own again where there are none."""
        url = f"{self.state.urls['model']}/_rules"
        answer = await (self._http.post(url, json=rules) if rules else self._http.delete(url))
        answer.raise_for_status()

    async def no_faults(self) -> None:
        (await self._http.delete(f"{self.state.urls['model']}/_faults")).raise_for_status()

    async def model_calls(self) -> int:
        """Calls that reached the model since `forget_calls`."""
        answer = await self._http.get(f"{self.state.urls['model']}/_calls")
        return int(answer.json()["total"])

    async def forget_calls(self) -> None:
        (await self._http.delete(f"{self.state.urls['model']}/_calls")).raise_for_status()

    def crash_at(self, point: Point) -> Path:
        """Asks for one kill -9 at a point; the file is gone when it has happened."""
        ticket = self.folder / "crashes" / point / uuid.uuid4().hex
        ticket.parent.mkdir(parents=True, exist_ok=True)
        ticket.touch()
        return ticket

    # -- out --------------------------------------------------------------------------------

    async def ended(self, event_id: str, *, seconds: float = 60) -> list[dict[str, Any]]:
        """Reports of the event's runs, once all have ended."""

        async def look() -> list[dict[str, Any]] | None:
            found = await self.deps.store.get(event_path(self.key(event_id)))
            if found is None:
                return None
            runs = EventRecord.of(found.data).runs
            reports = [await report_of(run, self.deps) for run in runs]
            over = all(RunStatus(report["status"]).is_final for report in reports)
            return reports if over else None

        return await self.eventually(look, f"the runs of {event_id} to end", seconds)

    async def only_run(self, event_id: str, *, seconds: float = 60) -> dict[str, Any]:
        [report] = await self.ended(event_id, seconds=seconds)
        return report

    async def letters(self, **fields: Any) -> list[DeadLetterRecord]:
        conditions = tuple((name, "==", value) for name, value in fields.items())
        found = await self.deps.store.find(Query("dead_letters", conditions))  # type: ignore[arg-type]
        return [DeadLetterRecord.of(letter.data) for letter in found]

    async def letter(self, *, seconds: float = 60, **fields: Any) -> DeadLetterRecord:
        """The one dead letter with these fields, once it is there."""

        async def look() -> DeadLetterRecord | None:
            found = await self.letters(**fields)
            return found[0] if found else None

        return await self.eventually(look, f"a dead letter with {fields}", seconds)

    async def eventually(
        self, look: Callable[[], Awaitable[Found | None]], what: str, seconds: float = 60
    ) -> Found:
        deadline = asyncio.get_running_loop().time() + seconds
        while (found := await look()) is None:
            if asyncio.get_running_loop().time() > deadline:
                log = Path(self.state.log).read_text("utf-8", "replace").splitlines()[-15:]
                raise AssertionError(f"waited {seconds:g} s for {what}\n" + "\n".join(log))
            await asyncio.sleep(0.1)
        return found

    @staticmethod
    def key(event_id: str) -> str:
        return ids.event_key(ids.UNNAMED_SOURCE, event_id)

    @property
    def store(self) -> FirestoreStore:
        assert isinstance(self.deps.store, FirestoreStore)
        return self.deps.store

    async def segue(self, *arguments: str) -> tuple[int, str, str]:
        """The real command in a process of its own: exit code, stdout, stderr."""
        known = {**os.environ, **self.state.environment}
        environment = {
            **{name: text for name, text in known.items() if name not in _EMULATORS},
            "SEGUE_STATE_DIR": str(self.folder / "state"),
        }
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "shared.cli", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


_EMULATORS = {"PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"}
