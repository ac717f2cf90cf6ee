"""Answers that are kept by what was asked: one that is known costs nothing and asks nobody.

An answer is kept in the commit of the step that got it, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.delivery.steps import StepTask
from shared.domain.envelope import ModelRequest
from shared.domain.model import Json
from shared.domain.model_calls.caching import LARGEST, AnswerRecord, answer_path, key_of
from shared.ports import Put, Write


class Answers:
    """The kept answer to one request, if its prompt wants answers to be kept."""

    def __init__(self, task: StepTask, request: ModelRequest, deps: Deps) -> None:
        self._task = task
        self._deps = deps
        self._ttl = None if request.tools or request.said else request.keep_for
        prompt = task.spent.prompt
        self._prompt = prompt.name if prompt is not None else ""
        version = prompt.version if prompt is not None else ""
        self._model = request.model
        self._path = answer_path(key_of(request, version)) if self._ttl is not None else ""

    async def known(self) -> AnswerRecord | None:
        """The answer, where one is kept and still good; a read where the prompt has a cache."""
        if self._ttl is None:
            return None
        found = await self._deps.store.get(self._path)
        record = AnswerRecord.of(found.data) if found is not None else None
        if record is None or record.expire_at <= self._deps.clock.now():
            return None
        self._task.spent.model, self._task.spent.cached = record.model, True
        return record

    def keep(self, output: Json) -> None:
        """Has the output kept with the step's result."""
        spent, now = self._task.spent, self._deps.clock.now()
        is_its_own = spent.calls[-1].asked == self._model  # and not one that stood in for it
        if self._ttl is None or not is_its_own or len(json.dumps(output)) > LARGEST:
            return
        record = AnswerRecord(
            output=output,
            model=spent.model,
            prompt=self._prompt,
            tokens=spent.usage.tokens,
            run_id=self._task.envelope.run.id,
            step=self._task.envelope.step,
            at=now,
            expire_at=now + timedelta(seconds=self._ttl),
        )
        write = Put(self._path, record.document())

        async def beside() -> Sequence[Write]:
            return [write]

        spent.put_beside(beside)
