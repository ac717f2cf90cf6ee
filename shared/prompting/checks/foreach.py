"""Whether a mapped step makes sense, as far as that can be told before there is a list.

What its `foreach` refers to is checked like any expression, elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.domain.expressions import GLOBALS, evaluate, names
from shared.domain.flow import Flow
from shared.domain.foreach import MAX_ITEMS, ForEach
from shared.domain.instances import LOOP
from shared.errors import ExpressionError
from shared.prompting.source import Problem, Source


def foreach_problems(source: Source, flow: Flow, name: str, foreach: ForEach) -> Iterator[Problem]:
    """`name` is that of the mapped step."""
    told = _constant_problem(foreach.source)
    if told is not None:
        yield source.problem(("steps", name, "foreach"), f"`{foreach.source}` {told}")
    for hidden in sorted(LOOP & flow.steps.keys()):
        yield source.problem(
            ("steps", hidden),
            f"step {hidden!r} cannot be seen in step {name!r}, where {hidden!r} is that of the"
            " list; rename the step",
        )


def _constant_problem(expression: str) -> str | None:
    """What is wrong with a list that is the same for every run."""
    try:
        if names(expression, expression=True) - GLOBALS:
            return None
        value = evaluate(expression, {})
    except ExpressionError:
        return None  # told where all expressions are checked, or on the run
    if not isinstance(value, list | tuple):
        return f"is a {type(value).__name__}; `foreach` takes an expression for a list"
    if len(value) > MAX_ITEMS:
        return f"has {len(value):,} items; a step takes at most {MAX_ITEMS:,}"
    return None
