"""Priorities of runs: what a flow may declare, and which messages a subscription of each gets.

A priority is an attribute of messages, so that Pub/Sub can tell them apart. Knows no broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from shared.domain.expressions import evaluate
from shared.errors import ExpressionError

PRIORITY = "segue-priority"  # attribute; messages without it are normal
Priority = Literal["high", "normal", "low"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
NORMAL: Priority = "normal"

_HIGH = f'attributes."{PRIORITY}" = "high"'
_LOW = f'attributes."{PRIORITY}" = "low"'
# Whatever the attribute is, exactly one of them matches: nothing is left out, nothing comes twice.
_FILTERS: Mapping[Priority, str] = {
    "high": _HIGH,
    "normal": f"NOT ({_HIGH} OR {_LOW})",
    "low": _LOW,
}


def filters(own: str | None) -> dict[Priority, str]:
    """A subscription's filter for each priority, beside the `own` filter of its stage."""
    if own is None:
        return dict(_FILTERS)
    return {priority: f"({own}) AND {other}" for priority, other in _FILTERS.items()}


def carried_priority(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attribute as every message of a run carries it: none where the run is normal."""
    given = attributes.get(PRIORITY, NORMAL)
    return {PRIORITY: given} if given in _FILTERS and given != NORMAL else {}


def attribute_of(
    declared: str | None, event: Mapping[str, Any]
) -> tuple[Mapping[str, str], str | None]:
    """What a flow says of an event's run, as an attribute; and what is wrong with that, or None.

    It says a priority, or an expression that gives one; where it says nothing, that is the
    publisher's. What it cannot tell is no reason to refuse the event: the run is normal.
    """
    if declared is None:
        return {}, None
    if declared in _FILTERS:
        return {PRIORITY: declared}, None
    try:
        said = evaluate(declared, {"event": event})
    except ExpressionError as error:
        return {PRIORITY: NORMAL}, str(error)
    if isinstance(said, str) and said in _FILTERS:
        return {PRIORITY: said}, None
    return {PRIORITY: NORMAL}, f"`{declared}` gives none of {', '.join(PRIORITIES)}"
