"""Whose token a request carries."""

from __future__ import annotations

import pytest

from shared.domain.webhooks import Callers

CALLERS = Callers({"ada": ("one", "two"), "bob": ("three",), "eve": ()})


@pytest.mark.parametrize(("token", "name"), [("one", "ada"), ("two", "ada"), ("three", "bob")])
def test_a_token_proves_its_name(token: str, name: str) -> None:
    assert CALLERS.name_of(f"Bearer {token}") == name


@pytest.mark.parametrize("given", ["", "Bearer ", "one", "Bearer one ", "Basic one", "Bearer ön"])
def test_nothing_else_proves_any(given: str) -> None:
    assert CALLERS.name_of(given) is None
    assert Callers().name_of(given) is None


def test_tokens_are_not_told() -> None:
    assert "one" not in repr(CALLERS)
