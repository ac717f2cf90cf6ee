"""The case of undoing has teeth: without a part of the protocol it is found out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.delivery.runs import hearing, undoing
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def what_is_under_way_is_not_waited_for(patch: Patch) -> None:
    patch.setattr(hearing, "LISTENERS", hearing.LISTENERS[:-1])


def what_was_done_first_is_undone_first(patch: Patch) -> None:
    original = undoing.undoing_of
    then = datetime(2100, 1, 1, tzinfo=UTC)

    def mirrored(version: Any, done: Any, sources: Any) -> Any:
        at = [replace(one, finished_at=then - (one.finished_at - then)) for one in done]
        return original(version, at, sources)

    patch.setattr(undoing, "undoing_of", mirrored)


MUTATIONS = {
    what_is_under_way_is_not_waited_for: of_case("undone", since=15),
    what_was_done_first_is_undone_first: of_case("undone"),
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_undoing_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, MUTATIONS[mutate])
