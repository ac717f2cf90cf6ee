"""Whether what a prompt has kept by the model is the same for all of its requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.expressions import names
from shared.domain.version import FrontMatter
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
