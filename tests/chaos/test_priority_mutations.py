"""Messages that no subscription of a priority gets are found out."""

from __future__ import annotations

import pytest

from shared.domain.starts import priorities
from shared.domain.starts.priorities import PRIORITY
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def what_has_no_priority_is_got_by_nobody(patch: Patch) -> None:
    """Every subscription asks for an attribute of its own."""
    patch.setitem(priorities._FILTERS, "normal", f'attributes:"{PRIORITY}"')  # type: ignore[arg-type]


def a_priority_is_got_by_nobody(patch: Patch) -> None:
    patch.setitem(priorities._FILTERS, "high", priorities._LOW)  # type: ignore[arg-type]


# By the case that has it.
MUTATIONS = {
    what_has_no_priority_is_got_by_nobody: "hurried",
    a_priority_is_got_by_nobody: "chain",
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_message_without_a_subscription_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, of_case(MUTATIONS[mutate]))
