"""The case of typed flows has teeth: a state without a part of it is found out."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery import settling
from shared.ports import Put
from shared.typed import state
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def what_is_beside_a_result_has_a_commit_of_its_own(patch: Patch) -> None:
    original = settling.Settler._commit

    async def commit(self: Any, writes: Any, ending: Any, standing: Any, beside: Any = None) -> Any:
        if beside is not None:
            await self._deps.store.commit(await beside())
        return await original(self, writes, ending, standing)

    patch.setattr(settling.Settler, "_commit", commit)


def an_edit_is_written_over_those_of_others(patch: Patch) -> None:
    def unfenced(path: str, data: Any, _revision: str = "") -> Put:
        return Put(path, data)

    patch.setattr(state, "Update", unfenced)
    patch.setattr(state, "Create", unfenced)


def who_loses_a_race_leaves_its_edits_out(patch: Patch) -> None:
    async def writes(self: Any) -> Any:
        tried, self._tried = self._tried, None
        return [] if tried is None else [tried]

    patch.setattr(state.StateInHand, "writes", writes)


MUTATIONS = (
    what_is_beside_a_result_has_a_commit_of_its_own,
    an_edit_is_written_over_those_of_others,
    who_loses_a_race_leaves_its_edits_out,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_state_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, of_case("typed"))
