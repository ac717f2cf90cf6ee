"""What a model call costs: a dated price table, applied per attempt.

Thinking tokens are billed as output; tokens served from a cache at their own rate.
"""

from __future__ import annotations

from datetime import date

from pydantic import Field

from shared.domain.model import Declared
from shared.domain.records import Tokens

_MILLION = 1_000_000
_HOUR = 3600


class Rate(Declared):
    """USD for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float = Field(ge=0)


class ModelPrice(Declared):
    """A model's rates; `long` applies to the whole call above `long_above` input tokens."""

    rate: Rate
    long_above: int | None = None
    long: Rate | None = None
    max_output: int | None = Field(None, ge=1, description="Tokens of its longest answer.")
    storage: float | None = Field(
        None, ge=0, description="USD for a million tokens that it keeps for an hour."
    )


class PriceTable(Declared):
    """Prices as published on `as_of`."""

    as_of: date
    source: str
    models: dict[str, ModelPrice]

    def cost(self, model: str, tokens: Tokens) -> float | None:
        """USD of one call; None where the table does not know the model."""
        price = self._price(model)
        if price is None:
            return None
        is_long = price.long is not None and tokens.input > (price.long_above or 0)
        rate = price.long if is_long and price.long is not None else price.rate
        fresh = max(tokens.input - tokens.cached, 0)
        total = fresh * rate.input + tokens.cached * rate.cached + tokens.output * rate.output
        return round(total / _MILLION, 9)

    def keeping(self, model: str, tokens: int, seconds: float) -> float | None:
        """USD for having so many tokens kept: read once as input, and stored all that time.

        None where the table knows no price of it.
        Source: https://cloud.google.com/vertex-ai/generative-ai/docs/context-cache/context-cache-overview
        """
        price, read = self._price(model), self.cost(model, Tokens(input=tokens))
        if price is None or price.storage is None or read is None:
            return None
        return round(read + tokens * price.storage * seconds / _HOUR / _MILLION, 9)

    def most_output(self, model: str) -> int | None:
        """Tokens of the model's longest answer, thoughts among them; None where not known."""
        price = self._price(model)
        return price.max_output if price is not None else None

    def _price(self, model: str) -> ModelPrice | None:
        """By exact name, else by the longest name that `model` is a dated revision of."""
        name = model.rsplit("/", 1)[-1]
        known = [key for key in self.models if name == key or name.startswith(f"{key}-0")]
        return self.models[max(known, key=len)] if known else None
