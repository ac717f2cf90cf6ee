"""Whether a flow's budget makes sense: what its calls may cost can be told before they are made.

Prices are those beside the prompts; without a table, what depends on them is left to the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.budgets.declared import Budget, OtherModel
from shared.domain.budgets.ladder import LONGEST
from shared.domain.budgets.prices import PriceTable
from shared.domain.flow import Flow
from shared.domain.records import Tokens
from shared.domain.retrieval.collection import Collection
from shared.domain.step import FlowStep, PromptStep, Step
from shared.domain.version import FlowVersion, PromptVersion, all_prompts_of
from shared.prompting.source import Location, Problem, Source

_CACHED = "cached_content"


def budget_problems(
    source: Source, version: FlowVersion, prices: PriceTable | None
) -> Iterator[Problem]:
    """All that is wrong with what the flow may spend."""
    flow, prompts = version.flow, version.prompts
    if flow.budget is None:
        return
    for at, told in _of_limits(flow, flow.budget):
        yield source.problem(("budget", *at), told)
    for name, step in flow.steps.items():
        for prompt in (prompts[one] for one in all_prompts_of(step) if one in prompts):
            for told in _of_prompt(prompt, step, flow.budget, prices):
                yield source.problem(("steps", name), f"step {name!r}: {told}")
    for told in _of_collections(version.collections, flow.budget, prices):
        yield source.problem(("budget",), told)
    for place, told in _of_ladder(flow.budget, prices):
        yield source.problem(("budget", "on_breach", place), told)


def _of_ladder(budget: Budget, prices: PriceTable | None) -> Iterator[tuple[int, str]]:
    for place, rung in enumerate(budget.on_breach):
        if isinstance(rung, OtherModel) and prices is not None:
            for told in _unknown(rung.model, budget, prices, limited=True):
                yield place, told


def _of_collections(
    collections: Mapping[str, Collection], budget: Budget, prices: PriceTable | None
) -> Iterator[str]:
    for name, collection in collections.items():
        if prices is not None:
            for told in _unknown(collection.model, budget, prices, limited=True):
                yield f"collection {name!r}: {told}"


def _of_limits(flow: Flow, budget: Budget) -> Iterator[tuple[Location, str]]:
    rungs = list(budget.on_breach)
    if "stop" in rungs[:-1]:
        yield ("on_breach",), "nothing is tried after `stop`; put it last, or leave it out"
    for run, day in (("usd", "usd_per_day"), ("tokens", "tokens_per_day")):
        of_run, of_day = getattr(budget, run), getattr(budget, day)
        if of_run is not None and of_day is not None and of_run > of_day:
            yield (run,), f"a run may not spend more than all runs of a day (`{day}`)"
    asks = any(all_prompts_of(step) or _may_ask(step) for step in flow.steps.values())
    if not asks:
        yield (), "no step of the flow asks a model, so there is nothing to limit; remove `budget`"


def _may_ask(step: Step) -> bool:
    """Whether models may be asked on the step's behalf, though it has no prompt of its own."""
    return isinstance(step, FlowStep) or step.kind not in {"action", "call", "wait"}


def _of_prompt(
    prompt: PromptVersion, step: Step, budget: Budget, prices: PriceTable | None
) -> Iterator[str]:
    parameters = prompt.head.parameters
    if _CACHED in parameters:
        told = f"prompt {prompt.name!r} has `{_CACHED}`, whose tokens nobody can count beforehand"
        yield f"{told}; remove it or the budget"
    if prices is None:
        return
    other = step.fallback.model if step.fallback is not None else None
    own = step.models if isinstance(step, PromptStep) and step.models else prompt.head.models
    chain = own or (prompt.head.model,)
    for model in dict.fromkeys((*chain, *([other] if other is not None else []))):
        yield from _unknown(model, budget, prices, limited=LONGEST in parameters)


def _unknown(model: str, budget: Budget, prices: PriceTable, *, limited: bool) -> Iterator[str]:
    if budget.has_usd and prices.cost(model, Tokens()) is None:
        told = f"the price of {model!r} is not known, so a budget in USD cannot hold"
        yield f"{told}; add it to prices.yaml, or limit `tokens`"
    elif not limited and prices.most_output(model) is None:
        told = f"nothing says how long an answer of {model!r} can be"
        yield f"{told}; give the prompt `{LONGEST}`, or the model a `max_output` in prices.yaml"
