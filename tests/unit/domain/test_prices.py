"""What a call costs: rates by kind of token, the long tier, dated revisions, unknown models."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.domain.budgets.prices import PriceTable
from shared.domain.records import Tokens

TABLE = PriceTable.model_validate(
    {
        "as_of": "2026-01-01",
        "source": "s",
        "models": {
            "small": {"rate": {"input": 1, "output": 10, "cached": 0.1}},
            "small-lite": {"rate": {"input": 0.5, "output": 5, "cached": 0.05}},
            "big": {
                "rate": {"input": 2, "output": 20, "cached": 0.2},
                "long_above": 1000,
                "long": {"input": 4, "output": 30, "cached": 0.4},
            },
        },
    }
)
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "tokens", "usd"),
    [
        ("small", Tokens(input=MILLION, output=MILLION), 11.0),
        ("small", Tokens(input=MILLION, cached=MILLION), 0.1),
        ("small", Tokens(input=MILLION, cached=500_000), 0.55),
        ("small", Tokens(), 0.0),
        ("small", Tokens(input=1), 0.000001),
        ("small", Tokens(input=5, cached=10), 0.000001),
        ("big", Tokens(input=1000, output=100), 0.004),
        ("big", Tokens(input=1001, output=100), 0.007004),
        ("small-001", Tokens(input=MILLION), 1.0),
        ("small-lite-002", Tokens(input=MILLION), 0.5),
        ("publishers/google/models/small", Tokens(input=MILLION), 1.0),
    ],
)
def test_a_call_costs_what_its_tokens_cost(model: str, tokens: Tokens, usd: float) -> None:
    assert TABLE.cost(model, tokens) == pytest.approx(usd)


@pytest.mark.parametrize(
    "model", ["other", "small-preview", "smaller", "", "small-lite-preview-09"]
)
def test_a_model_the_table_lacks_has_no_price(model: str) -> None:
    assert TABLE.cost(model, Tokens(input=1)) is None


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValidationError):
        PriceTable.model_validate(
            {
                "as_of": "2026-01-01",
                "source": "s",
                "models": {"m": {"rate": {"input": -1, "output": 1, "cached": 1}}},
            }
        )
