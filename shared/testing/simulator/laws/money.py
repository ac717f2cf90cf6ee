"""Whether what the calls of a run were billed is within its budget, and counted there.

By what models have answered, and by what is stored; it must not know how money is reserved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.budgets.declared import Budget
from shared.domain.records import Tokens
from shared.testing.simulator.engine import Fields


@dataclass
class Bills:
    """Tokens billed, by run. A call that the network has sent twice is billed once."""

    tokens: Counter[str] = field(default_factory=Counter)
    seen: list[object] = field(default_factory=list)

    def add(self, request: object, run: str, tokens: Tokens) -> bool:
        """Whether the run is billed for one more answer."""
        if any(one is request for one in self.seen):
            return False
        self.seen.append(request)
        self.tokens[run] += tokens.input + tokens.output
        return True


def overspent(
    bills: Bills, run: str, budget: Budget | None, documents: Mapping[str, Fields]
) -> Iterator[tuple[str, str]]:
    """What is wrong after one more answer."""
    if budget is None or budget.tokens is None:
        return
    billed, counted = bills.tokens[run], documents.get(f"budgets/{run}", {})
    taken = counted.get("tokens_spent", 0) + counted.get("tokens_reserved", 0)
    if billed > budget.tokens:
        yield "money", f"{run} was billed {billed} tokens, and may spend {budget.tokens}"
    if billed > taken:
        yield "money", f"{run} was billed {billed} tokens, of which {taken} are counted"
