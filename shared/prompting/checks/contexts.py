"""Whether what a prompt has kept by the model is the same for all requests, and has a price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.budgets.prices import PriceTable
from shared.domain.expressions import names
from shared.domain.step import PromptStep
from shared.domain.version import FlowVersion, FrontMatter, all_prompts_of
from shared.prompting.source import Problem, Source

_AT, _BY_HAND = ("context_cache",), "cached_content"


def context_problems(
    source: Source, head: FrontMatter, partials: Mapping[str, str]
) -> Iterator[Problem]:
    """`partials` are those that `system` includes."""
    if head.context_cache is None:
        return
    if head.system is None:
        yield source.problem(_AT, "`system` is what is kept, and there is none; write one")
    if _BY_HAND in head.parameters:
        told = f"the parameter `{_BY_HAND}` names a cache already; leave one of them out"
        yield source.problem(_AT, told)
    read = sorted(names([head.system or "", *partials.values()]))
    if read:
        told = f"`system` reads {', '.join(map(repr, read))}, so each run would have its own kept"
        yield source.problem(_AT, f"{told}; move what differs to the body")


def unpriced_contexts(
    source: Source, version: FlowVersion, prices: PriceTable | None
) -> Iterator[Problem]:
    """Steps whose prompts want something kept by a model that keeps nothing, having no price."""
    if prices is None:
        return
    for name, step in version.flow.steps.items():
        for head in (version.prompts[one].head for one in all_prompts_of(step)):
            own = step.models if isinstance(step, PromptStep) else ()
            for model in own or head.models or (head.model,):
                if head.context_cache is None or prices.keeping(model, 1, 1) is not None:
                    continue
                told = f"nothing says what {model!r} takes for `context_cache`, so it keeps nothing"
                yield source.problem(
                    ("steps", name), f"step {name!r}: {told}; give it `storage` in prices.yaml"
                )
