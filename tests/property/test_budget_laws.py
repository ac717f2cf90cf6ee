"""However attempts reserve, settle, fail and die, and in whatever order: no limit is passed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.delivery.budgets.purse import Purse
from shared.delivery.outcome import Spent
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.budgets.declared import Budget, most_input
from shared.domain.budgets.records import Balance
from shared.domain.envelope import ModelRequest
from shared.domain.records import Attempt, StepRecord, Tokens, Usage
from shared.errors import BudgetExceededError, ClaimLostError, StoreUnavailableError
from shared.ports import ModelCall, ModelReply, Write, Written
from shared.prompting.library import NO_LIBRARY
from shared.runtime.stage_table import read_stages
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.pipeline import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 500
STEPS = ("a", "b", "c")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.sampled_from(["reserve", "answer", "settle", "die", "die unbilled", "lose"]),
        st.integers(1, 300),
    ),
    max_size=30,
)


class Losing(MemoryStore):
    """Loses answers: a commit is done, and whoever made it is not told."""

    left = -1  # commits until one's answer is lost

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        written = await super().commit(writes)
        self.left -= 1
        if self.left == 0:
            raise StoreUnavailableError("lost")
        return written


class Step:
    """One step with the attempt that is at work on it."""

    def __init__(self, world: World, name: str) -> None:
        self._deps = world.deps(read_stages().stages["generate"], lambda: "token")
        self._budget = Budget(tokens=LIMIT)
        self.record = StepRecord(
            run_id="r", flow="f", step=name, stage="generate", started_at=NOW, expire_at=NOW
        )
        self.held = False
        self.begin()

    def begin(self) -> None:
        """Another attempt takes over."""
        n = len(self.record.attempts) + 1
        lost = [each.model_copy(update={"outcome": "lost"}) for each in self.record.attempts]
        attempts = [*lost, Attempt(n=n, started_at=NOW)]
        fresh = {"fence": self.record.fence + 1, "attempts": attempts}
        self.record = self.record.model_copy(update=fresh)
        self.spent, self.held = Spent(), False
        accounts = self._budget.accounts("r", "f", NOW)
        about = {"model": ScriptedModel(), "budget": self._budget, "wait": 0.0}
        self.purse = Purse(self._deps, self.spent, self.record, accounts, **about)  # type: ignore[arg-type]

    async def reserve(self, longest: int) -> None:
        parameters = {"max_output_tokens": longest}
        request = ModelRequest(model="m", messages=(("user", "x"),), parameters=parameters)
        try:
            await self.purse.reserve(request)
        except (BudgetExceededError, StepDeferred, ClaimLostError, StoreUnavailableError):
            self.held = False
        else:
            self.held, self.most = True, most_input(request) + longest

    def answer(self, share: int) -> int:
        """The model answers, with at most what was reserved; what that is billed at."""
        if not self.held:
            return 0
        self.held, billed = False, max(self.most * share // 300, 1)
        reply = ModelReply("x", Tokens(output=billed), "m")
        self.spent.usage += Usage(llm_calls=1)
        self.spent.calls.append(ModelCall("m", NOW, 1.0, reply))
        return billed

    async def settle(self) -> None:
        with suppress(StoreUnavailableError):
            await self._deps.store.commit(self.purse.settlement())
        self.begin()


async def played(acts: list[tuple[str, str, int]]) -> None:
    store = Losing()
    world = World(NO_LIBRARY, documents=store)
    steps = {name: Step(world, name) for name in STEPS}
    billed = 0
    for name, act, n in [*acts, *((name, "settle", 1) for name in STEPS)]:
        step = steps[name]
        match act:
            case "reserve":
                await step.reserve(n)
            case "answer":
                billed += step.answer(n)
            case "settle":
                await step.settle()
            case "lose":
                store.left = 1 + n % 2
            case "die":  # the answer was on its way
                billed += step.answer(n)
                step.begin()
            case _:
                step.begin()
        assert billed <= LIMIT
    found = store.documents.get("budgets/r")
    balance = Balance.of(found.data) if found is not None else Balance()
    assert balance.taken.tokens >= billed
    assert balance.reserved.tokens >= 0


@settings(max_examples=60)
@given(ACTS)
def test_what_is_billed_never_passes_the_limit(acts: list[tuple[str, str, int]]) -> None:
    asyncio.run(played(acts))


def test_a_hold_that_is_given_back_is_given_back_once() -> None:
    """Though the answer to that is lost: what is held must not be understated."""
    acts = [("a", "reserve", 250), ("b", "lose", 1), ("b", "reserve", 250), ("b", "settle", 1)]
    asyncio.run(played([*acts, ("a", "answer", 300)]))
