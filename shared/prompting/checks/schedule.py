"""Whether a schedule makes sense: its cron and time zone, and data that everybody reads alike.

Terraform reads flow files too, to set up Cloud Scheduler, with a YAML reader of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from shared.domain.starts.cron import CronError, require_cron, require_zone
from shared.domain.starts.schedules import Schedule
from shared.prompting.render import schema_problem
from shared.prompting.source import Location, Problem, Source

_AT: Location = ("on", "schedule")
# YAML 1.1 made numbers, dates, booleans and nulls of much that YAML 1.2 leaves alone.
_ALIKE = re.compile(r"|true|false|null|0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]")
_SPECIAL = re.compile(
    r"[-+.]?[0-9.]\S*|[-+]?\.(?:inf|nan)|y|n|yes|no|on|off|true|false|null|=|<<", re.IGNORECASE
)


def schedule_problems(
    source: Source, schedule: Schedule, schema: Mapping[str, Any] | None
) -> Iterator[Problem]:
    """`schema` is that of the flow's input, which the schedule's data must fit."""
    try:
        require_cron(schedule.cron)
    except CronError as error:
        yield source.problem((*_AT, "cron"), str(error))
    try:
        require_zone(schedule.time_zone)
    except CronError as error:
        yield source.problem((*_AT, "time_zone"), str(error))
    broken = None if schema is None else schema_problem(schema, schedule.data)
    if broken:
        yield source.problem((*_AT, "data"), f"the schedule's data does not fit `input`: {broken}")
    for scalar in _scalars(_node_at(source.node, (*_AT, "data"))):
        if _is_ambiguous(scalar):
            line = scalar.start_mark.line + 1
            yield Problem(source.file, line, f"YAML readers disagree on {scalar.value}; quote it")


def _is_ambiguous(scalar: ScalarNode) -> bool:
    """Whether YAML 1.1 and 1.2 take it for different values; what is in quotes is text for all."""
    text = str(scalar.value)
    plain = scalar.style is None and not _ALIKE.fullmatch(text)
    return plain and _SPECIAL.fullmatch(text) is not None


def _node_at(node: Node | None, location: Location) -> Node | None:
    for name in location:
        pairs = node.value if isinstance(node, MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    """All keys and values below."""
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
