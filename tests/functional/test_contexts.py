"""What requests begin with is kept by the model: once for all, and no run fails where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.budgets.prices import PriceTable
from shared.domain.budgets.records import Balance
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.contexts import ContextRecord
from shared.domain.records import Tokens
from shared.errors import ModelRequestError, ModelUnreachableError, SegueError
from shared.ports import Document, KeptContext, ModelReply
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.memory_contexts import MemoryContexts
from shared.testing.pipeline import Crash
from tests.functional import agents
from tests.functional.system import EVENT, System, flow, prompt

LONG = "A rule of the house. " * 400
HOUSE = prompt(
    "house",
    "{{ text }}",
    system=LONG,
    context_cache={"ttl": "1h"},
    parameters={"max_output_tokens": 100},
)
STEPS = "a: {prompt: house, with: {text: '{{ event.data }}'}}"
ASKS = flow(STEPS, HOUSE)
HOUR = 3600


class Keeping(ScriptedModel):
    """Knows what `contexts` keep, and refuses what they do not."""

    def __init__(self, contexts: MemoryContexts) -> None:
        super().__init__(default=self._answer)
        self.contexts = contexts

    def _answer(self, request: ModelRequest) -> SegueError | ModelReply:
        if request.context is not None and request.context not in self.contexts.made:
            return ModelRequestError("404 NOT_FOUND: cached content metadata")
        cached = 2000 if request.context is not None else 0
        return ModelReply("yes", Tokens(input=2100, output=3, cached=cached), request.model)


def keeping(*flows: Any, contexts: MemoryContexts | None = None, **about: Any) -> System:
    contexts = contexts or MemoryContexts()
    system = System(flows or [ASKS], model=Keeping(contexts), contexts=contexts, **about)
    assert isinstance(system.model, Keeping)
    return system


async def runs(system: System, *names: str) -> None:
    """All of them succeed."""
    for name in names:
        await system.start(name, ce_id=name)
    statuses = {(await system.report(run))["status"] for run in system.run_ids()}
    assert statuses == {"succeeded"}


def contexts_used(system: System) -> list[str | None]:
    """By call, in order."""
    return [request.context for request in system.model.calls]


def warnings(system: System) -> list[str]:
    return [line for severity, line, _ in system.world.telemetry.lines if severity == "WARNING"]


def record(system: System) -> ContextRecord:
    [found] = system.stored("context_caches", ContextRecord)
    return found


async def test_what_all_requests_begin_with_is_kept_once_and_used_by_all():
    system = keeping()
    await runs(system, "one", "two", "three")
    assert system.world.contexts.asked == 1
    assert contexts_used(system) == ["cachedContents/1"] * 3
    assert record(system).name == "cachedContents/1"


async def test_it_is_billed_to_the_step_that_has_it_made_and_is_no_call_of_a_model():
    system = keeping()
    await runs(system, "one", "two")
    first, second = [(await system.report(run))["steps"]["a"] for run in system.run_ids()]
    made = max(first, second, key=lambda step: step["cost_usd"])
    found = record(system)
    assert made["cost_usd"] > min(first["cost_usd"], second["cost_usd"])
    assert made["tokens"]["input"] == 2100 + found.tokens
    assert (first["llm_calls"], second["llm_calls"]) == (1, 1)
    calls = [one for report in system.world.telemetry.reports for one in report.calls]
    operations = [one.operation for one in calls]
    assert operations == ["create_cached_content", "generate_content", "generate_content"]


class Behind(MemoryStore):
    """Shows what is stored, but for contexts: those it has read before there were any."""

    def __init__(self, others: MemoryStore) -> None:
        super().__init__()
        self.commit, self.find, self.get_many = others.commit, others.find, others.get_many

    async def get(self, path: str) -> Document | None:
        return None if path.startswith("context_caches/") else await super().get(path)


@pytest.mark.parametrize("reads", [lambda shared: shared, Behind])
async def test_of_two_that_need_one_at_once_one_makes_it_and_the_other_goes_on_without(reads: Any):
    shared = MemoryStore()
    second = keeping(store=lambda _: reads(shared))

    class Slow(MemoryContexts):
        async def make(self, request: ModelRequest, *, ttl: float, seconds: float) -> KeptContext:
            await second.start("two", ce_id="two")
            return await super().make(request, ttl=ttl, seconds=seconds)

    slow = Slow()
    first = keeping(contexts=slow, store=lambda _: shared)
    await first.start("one", ce_id="one")
    assert (slow.asked, second.world.contexts.asked) == (1, 0)
    assert contexts_used(first) == ["cachedContents/1"]
    assert contexts_used(second) == [None]


async def test_it_is_used_until_shortly_before_its_end_and_then_made_anew():
    system = keeping()
    await runs(system, "one")
    system.world.clock.advance(HOUR - 70)
    await runs(system, "two")
    assert system.world.contexts.asked == 1
    system.world.clock.advance(20)
    await runs(system, "three")
    assert contexts_used(system) == ["cachedContents/1"] * 2 + ["cachedContents/2"]


@pytest.mark.parametrize("error", [ModelRequestError("400"), ModelUnreachableError("500")])
async def test_where_none_can_be_made_all_is_sent_and_nobody_tries_for_an_hour(error: SegueError):
    system = keeping()
    system.world.contexts.error = error
    await runs(system, "one")
    system.world.clock.advance(HOUR / 2)
    await runs(system, "two")
    assert system.world.contexts.asked == 1
    assert contexts_used(system) == [None, None]
    assert len(warnings(system)) == 1
    system.world.clock.advance(HOUR)
    system.world.contexts.error = None
    await runs(system, "three")
    assert contexts_used(system)[-1] == "cachedContents/2"


async def test_what_is_surely_too_short_is_not_even_tried():
    short = prompt("house", "{{ text }}", system="Be kind.", context_cache={"ttl": "1h"})
    system = keeping(flow(STEPS, short))
    await runs(system, "one")
    assert system.world.contexts.asked == 0
    assert not system.stored("context_caches", ContextRecord)


async def test_a_call_whose_context_is_gone_goes_on_without_it_and_all_are_told():
    system = keeping()
    await runs(system, "one")
    system.world.contexts.made.clear()
    await runs(system, "two", "three")
    assert contexts_used(system) == ["cachedContents/1", "cachedContents/1", None, None]
    assert record(system).name is None
    assert len(warnings(system)) == 1
    system.world.clock.advance(HOUR)
    await runs(system, "four")
    assert contexts_used(system)[-1] == "cachedContents/2"


async def test_a_context_whose_time_is_over_when_the_request_arrives_is_not_blamed():
    system = keeping()
    await runs(system, "one")
    usual = system.model.default

    def late(request: ModelRequest) -> Any:
        if request.context is not None:
            system.world.clock.advance(HOUR)
            system.world.contexts.made.clear()
        return usual(request)

    system.model.default = late
    await runs(system, "two")
    system.model.default = usual
    await runs(system, "three")
    assert contexts_used(system)[1:] == ["cachedContents/1", None, "cachedContents/2"]
    assert warnings(system) == []


async def test_a_request_that_is_wrong_either_way_says_nothing_about_its_context():
    system = keeping()
    await runs(system, "one")
    system.model.default = ModelRequestError("400 INVALID_ARGUMENT")
    await system.start("two", ce_id="two")
    assert contexts_used(system)[1:] == ["cachedContents/1", None]
    statuses = sorted([(await system.report(run))["status"] for run in system.run_ids()])
    assert statuses == ["failed", "succeeded"]
    assert record(system).name == "cachedContents/1"


async def test_whoever_dies_while_one_is_made_leaves_a_call_without_and_one_for_later():
    system = keeping()
    await system.publish(EVENT, "one")
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    system.world.contexts.error = Crash()
    await system.pipeline.step("generate")
    system.world.contexts.error = None
    await system.run()
    await runs(system)
    assert contexts_used(system) == [None]
    system.world.clock.advance(60)
    await runs(system, "two")
    assert contexts_used(system) == [None, "cachedContents/2"]


async def test_an_agents_turns_share_what_they_begin_with_tools_included():
    thinker = prompt("thinker", "{{ event.data }}", system=LONG, context_cache={"ttl": "1h"})
    steps = "a: {agent: thinker, tools: [look]}"
    contexts = MemoryContexts()
    model = ScriptedModel({"thinker": agents.script(agents.asks(("look", {"n": 1})), "done")})
    with agents.tools():
        version = flow(steps, thinker, tools=agents.TOOLS_KNOWN)
        system = System([version], model=model, contexts=contexts)
        await system.start("hi")
    assert contexts_used(system) == ["cachedContents/1"] * 2
    [kept] = contexts.made.values()
    assert [tool.name for tool in kept.tools] == ["look"]


def budget_of(system: System, run_id: str) -> Balance:
    return Balance.of(system.world.documents.documents[f"budgets/{run_id}"].data)


async def test_what_it_costs_is_held_and_spent_of_the_budget_of_the_run_that_has_it_made():
    system = keeping(flow(STEPS, HOUSE, more="budget: {tokens: 1M}"))
    await runs(system, "one", "two")
    for run_id in system.run_ids():
        tokens = (await system.report(run_id))["totals"]["tokens"]
        balance = budget_of(system, run_id)
        assert balance.spent.tokens == tokens["input"] + tokens["output"]
        assert not balance.reserved.is_some
    assert system.world.contexts.asked == 1


async def test_a_run_that_cannot_afford_one_beside_its_call_has_none_made():
    system = keeping(flow(STEPS, HOUSE, more="budget: {tokens: 10k}"))
    await runs(system, "one")
    assert (system.world.contexts.asked, contexts_used(system)) == (0, [None])
    [run_id] = system.run_ids()
    assert not budget_of(system, run_id).reserved.is_some
    assert system.world.documents.writes[f"budgets/{run_id}"] == 2  # of the call alone


async def test_none_is_made_where_nobody_can_tell_what_it_costs():
    system = keeping(contexts=MemoryContexts(usd_per_token=None))
    await runs(system, "one")
    assert (system.world.contexts.asked, contexts_used(system)) == (0, [None])


async def test_a_call_with_a_context_costs_one_read_every_five_seconds():
    system = keeping()
    await runs(system, "one")
    system.world.clock.advance(10)
    system.world.documents.reset_counts()
    await runs(system, "two", "three")
    reads = system.world.documents.reads
    assert sum(n for path, n in reads.items() if path.startswith("context_caches/")) == 1


def test_keeping_costs_what_is_read_once_and_all_hours_of_storage():
    price = {"rate": {"input": 1, "output": 2, "cached": 0.1}, "storage": 4.5}
    plain = {"rate": price["rate"]}
    table = {"as_of": "2026-10-07", "source": "a test", "models": {"m": price, "n": plain}}
    prices = PriceTable.model_validate(table)
    assert prices.keeping("m", 2_000_000, 1800) == 2 + 4.5
    assert prices.keeping("n", 2_000_000, 1800) is None
    assert prices.keeping("unheard-of", 1, 1) is None
