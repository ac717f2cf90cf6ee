"""What runs about to be opened will say: the versions of their prompts are chosen here, once.

Whatever is chosen is pinned with the run; a redelivery finds the run and what it was given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.delivery.deps import Deps
from shared.delivery.runs.opening import Opening
from shared.errors import Permanent


async def chosen(openings: Iterable[Opening], deps: Deps) -> list[Opening]:
    """The same openings with the versions of their prompts.

    One whose flow names a version that is not there is refused. Raises Transient errors where
    that cannot be found out.
    """
    return [await _chosen(opening, deps) for opening in openings]


async def _chosen(opening: Opening, deps: Deps) -> Opening:
    if opening.refusal is not None or deps.resolver is None:
        return opening
    try:
        version = await deps.resolver.resolved(opening.version, opening.event, deps.clock.now())
    except Permanent as error:
        return replace(opening, refusal=error)
    return replace(opening, version=version)
