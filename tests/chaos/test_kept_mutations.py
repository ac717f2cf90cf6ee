"""Cases of what outlives a call have teeth: breakers, quotas, answers, chunks, counts, boards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.delivery import steps
from shared.delivery.agents import blackboard
from shared.delivery.models.answers import Answers
from shared.delivery.retrieval import filling
from shared.delivery.rollouts import counting
from shared.domain.model_calls.breaker import BreakerRecord
from shared.ports import Delete, Put
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def _unfenced(path: str, data: Any, _revision: str = "") -> Put:
    return Put(path, data)


def a_model_whose_breaker_is_open_is_never_probed(patch: Patch) -> None:
    original = BreakerRecord.verdict

    def verdict(self: BreakerRecord, now: Any) -> str:
        return "skip" if original(self, now) == "probe" else original(self, now)

    patch.setattr(BreakerRecord, "verdict", verdict)


def what_a_quota_puts_off_is_forgotten(patch: Patch) -> None:
    original = steps.defer

    async def defer(deps: Any, held: Any, why: Any, *about: Any) -> None:
        why.until = None
        await original(deps, held, why, *about)

    patch.setattr(steps, "defer", defer)


def an_answer_is_kept_before_its_step_has_a_result(patch: Patch) -> None:
    original = Answers.keep

    def keep(self: Any, output: Any) -> None:
        original(self, output)
        beside, self._task.spent.beside = self._task.spent.beside, None
        if beside is not None:
            task = asyncio.create_task(_committed(self._deps.store, beside))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    patch.setattr(Answers, "keep", keep)


async def _committed(store: Any, beside: Any) -> None:
    await store.commit(await beside())


def chunks_of_an_earlier_version_stay(patch: Patch) -> None:
    original = filling._writes

    async def writes(*about: Any) -> list[Any]:
        return [write for write in await original(*about) if not isinstance(write, Delete)]

    patch.setattr(filling, "_writes", writes)


def calls_write_over_what_others_have_written(patch: Patch) -> None:
    patch.setattr(blackboard, "Update", _unfenced)
    patch.setattr(blackboard, "Create", _unfenced)


def a_run_is_counted_as_often_as_its_end_is_heard(patch: Patch) -> None:
    patch.setattr(counting, "Create", _unfenced)


# By the case that has it.
MUTATIONS = {
    a_model_whose_breaker_is_open_is_never_probed: "models",
    what_a_quota_puts_off_is_forgotten: "models",
    an_answer_is_kept_before_its_step_has_a_result: "models",
    chunks_of_an_earlier_version_stay: "shelf",
    calls_write_over_what_others_have_written: "shelf",
    a_run_is_counted_as_often_as_its_end_is_heard: "relabelled",
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_what_is_kept_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, of_case(MUTATIONS[mutate]))
