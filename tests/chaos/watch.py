"""Doubles that see every write and every message, and note what must never happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.chain import StepStatus
from shared.domain.envelope import Message
from shared.domain.records import RunRecord, RunStatus, StepRecord, step_path
from shared.domain.version import FlowVersion
from shared.ports import Document
from shared.testing.memory import MemoryBus, MemoryStore

Documents = Mapping[str, Document]


class WatchedStore(MemoryStore):
    """Notes violations of what the records promise. `results` counts final results by step."""

    def __init__(self, flows: Mapping[str, FlowVersion]) -> None:
        self.violations: list[str] = []
        self.results: Counter[str] = Counter()
        self._flows = flows
        self._now: dict[str, Document] = {}
        super().__init__()

    @property
    def documents(self) -> dict[str, Document]:
        return self._now

    @documents.setter
    def documents(self, after: dict[str, Document]) -> None:
        """Every commit comes by here, at the moment it takes effect."""
        before, self._now = self._now, after
        for path in before.keys() | after.keys():
            old, new = before.get(path), after.get(path)
            if old is not new:
                self._changed(path, old, new)

    def _changed(self, path: str, old: Document | None, new: Document | None) -> None:
        parts = path.split("/")
        if new is None:
            self.violations.append(f"{path} was deleted")
        elif parts[0] == "events" and old is not None:
            self.violations.append(f"{path} was changed")
        elif parts[0] == "runs" and len(parts) == 2:
            self._run_changed(path, old, new)
        elif parts[0] == "runs" and parts[2] == "steps":
            self._step_changed(path, old, new)
        elif parts[0] == "runs" and parts[2] == "joins":
            self._join_changed(path, new)

    def _run_changed(self, path: str, old: Document | None, new: Document) -> None:
        if old is None:
            return
        was, now = RunRecord.of(old.data), RunRecord.of(new.data)
        reopened = now.status is RunStatus.RUNNING and now.redrives == was.redrives + 1
        if was.status.is_final and not reopened:
            self.violations.append(f"{path} had ended as {was.status} and was changed")

    def _step_changed(self, path: str, old: Document | None, new: Document) -> None:
        was = StepRecord.of(old.data).status if old else StepStatus.PENDING
        now = StepRecord.of(new.data).status
        reopened = (was, now) == (StepStatus.FAILED, StepStatus.PENDING)
        if was.is_final and not reopened:
            self.violations.append(f"{path} was recorded as {was} and then as {now}")
        if now.is_final and now is not StepStatus.FAILED:
            self.results[path] += 1
            if self.results[path] > 1:
                self.violations.append(f"{path} has {self.results[path]} results")

    def _join_changed(self, path: str, new: Document) -> None:
        run = RunRecord.of(self._now["/".join(path.split("/")[:2])].data)
        width = self._flows[run.flow].flow.width(new.name)
        if new.data["arrived"] > width or new.data["succeeded"] > width:
            self.violations.append(f"{path} counts {dict(new.data)}, but only {width} lead there")


class WatchedBus(MemoryBus):
    """Notes messages about steps whose turn it is not, going by what is stored."""

    def __init__(self, store: WatchedStore, flows: Mapping[str, FlowVersion]) -> None:
        super().__init__()
        self._store = store
        self._flows = flows

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        published = await super().publish(topic, messages)
        if topic in {"compose", "act"}:
            for message in messages:
                self._check(message.attributes)
        return published

    def _check(self, attributes: Mapping[str, Any]) -> None:
        run_id, step = attributes.get("segue-run"), attributes.get("segue-step")
        if run_id is None or step is None:
            return
        for need in self._flows[attributes["segue-flow"]].flow.steps[step].needs:
            found = self._store.documents.get(step_path(run_id, need))
            if found is None or not StepRecord.of(found.data).status.is_final:
                self._store.violations.append(f"{step} was sent before {need} was recorded")
