"""The cases of children have teeth: opening and ending them without a part of it is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.delivery.children import homecoming
from shared.delivery.children import opening as children
from shared.delivery.runs import hearing
from shared.domain.starts.by_name import Child
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def nobody_tells_a_step_that_its_child_has_ended(patch: Patch) -> None:
    patch.setattr(hearing, "LISTENERS", ())


def a_child_is_another_one_each_time_it_is_opened(patch: Patch) -> None:
    """By the clock of whoever opens it."""
    original = children.Children._opening

    opened_at: list[int] = []

    def opening(self: Any, step: str, variables: Any) -> Any:
        opened_at.append(round(self._deps.clock.now().timestamp() * 1000))
        return original(self, step, variables)

    patch.setattr(children.Children, "_opening", opening)
    patch.setattr(children, "Child", lambda *about: Child(*(*about, opened_at[-1])[:4]))


def a_step_that_waits_already_starts_its_child_no_more(patch: Patch) -> None:
    """Whoever died between the two has started it for nobody."""
    original = children.Children.record

    async def record(self: Any, step: str, variables: Any) -> Any:
        found = await original(self, step, variables)
        self._fresh = found
        return found

    async def begun(self: Any, found: Any, variables: Any) -> None:
        if found is getattr(self, "_fresh", None):
            await self._start(found, variables)

    patch.setattr(children.Children, "record", record)
    patch.setattr(children.Children, "begun", begun)


def a_child_brings_what_its_run_has_failed_of_as_an_output(patch: Patch) -> None:
    original = homecoming.came_of
    patch.setattr(homecoming, "came_of", lambda run: replace(original(run), error=None))


# By the case that has it.
MUTATIONS = {
    nobody_tells_a_step_that_its_child_has_ended: "family",
    a_child_is_another_one_each_time_it_is_opened: "family",
    a_step_that_waits_already_starts_its_child_no_more: "family",
    a_child_brings_what_its_run_has_failed_of_as_an_output: "doomed-child",
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_children_without_this_part_are_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, of_case(MUTATIONS[mutate]))
