"""The case of moved labels has teeth: a run that does not stay on its versions is found out."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.progress import REPEATED, Progress
from shared.delivery.runs import opening
from shared.domain import chain
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def a_redelivery_sends_what_labels_point_at_now(patch: Patch) -> None:
    async def send_again(self: Any, opened: Any, found: Any, run: Any) -> None:
        variables = self._variables(opened)
        scope = opening.scope_of_run(run, found, opened.version)
        plan = chain.start(opened.version.flow, variables)
        await Progress(self._deps, scope).follow(plan, REPEATED, variables)

    patch.setattr(opening.Opener, "_send_again", send_again)


MUTATIONS = (a_redelivery_sends_what_labels_point_at_now,)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_run_that_does_not_keep_its_versions_is_found_out(
    mutate: Mutation, monkeypatch: Patch
) -> None:
    require_found_out(mutate, monkeypatch, of_case("relabelled", since=52))
