"""The case of a budget has teeth: money that is not counted as it should be is found out."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.budgets.purse import Purse
from shared.delivery.budgets.till import Till
from shared.domain.budgets.declared import NOTHING
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out


def a_call_is_made_whatever_it_costs(patch: Patch) -> None:
    patch.setattr(Purse, "_lacking", lambda *_: None)


def what_a_call_cut_down_has_held_is_given_back(patch: Patch) -> None:
    patch.setattr(Till, "_was_made", lambda *_: False)


def a_call_is_settled_before_its_result_is_recorded(patch: Patch) -> None:
    """And so with nothing, where the answer is lost."""
    original = Purse._billed

    def billed(self: Any) -> Any:
        calls = self._spent.calls[self._known :]
        return original(self) if not calls or calls[-1].reply is not None else NOTHING

    patch.setattr(Purse, "_billed", billed)


MUTATIONS = {
    a_call_is_made_whatever_it_costs: of_case("thrifty"),
    what_a_call_cut_down_has_held_is_given_back: of_case("thrifty"),
    a_call_is_settled_before_its_result_is_recorded: of_case("thrifty", since=32),
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_the_case_of_a_budget_has_teeth(mutate: Mutation, monkeypatch: pytest.MonkeyPatch):
    require_found_out(mutate, monkeypatch, MUTATIONS[mutate])
