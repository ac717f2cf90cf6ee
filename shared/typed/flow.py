"""The class that a typed flow is written as; checked when it is made, so that none is that makes
no sense. The class is the source of the flow's graph, which is the same as that of a flow file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from inspect import cleandoc, getsourcefile
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from shared.domain.flow import RESERVED
from shared.domain.starts.schedules import FLOW_NAME
from shared.prompting.source import Problem
from shared.typed.annotations import StepReader
from shared.typed.checking import problems_of
from shared.typed.errors import FlowInvalidError
from shared.typed.events import StartEvent, StopEvent
from shared.typed.shapes import FlowShape, StepShape
from shared.typed.steps import options_of

Start = TypeVar("Start", bound=StartEvent)
Stop = TypeVar("Stop", bound=StopEvent)
_ROOT = Path(__file__).resolve().parents[2]


class Flow(Generic[Start, Stop]):
    """A flow from its StartEvent to its StopEvent, or to one of several: `Flow[Asked, Told]`.

    `name` and `on`, the type of the event that starts it, have to be said. Its `@step` methods are
    run in any order that their events allow, each in a process of its own, so an instance keeps
    nothing: state is in the Context. Raises FlowInvalidError where the class makes no sense.
    """

    name: ClassVar[str]
    on: ClassVar[str]
    where: ClassVar[str | None] = None
    timeout: ClassVar[str | float | None] = None
    shape: ClassVar[FlowShape]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        caller = sys._getframe(1)  # noqa: SLF001 - where the class stands, and what it can name
        cls.shape = shape_of(cls, {**caller.f_locals}, caller.f_lineno)


def shape_of(cls: type[Flow[Any, Any]], namespace: Mapping[str, Any], line: int) -> FlowShape:
    """What the class says. Raises FlowInvalidError, with all that is wrong."""
    file = _file_of(cls)
    problems = [Problem(file, line, told) for told in _unnamed(cls)]
    steps: dict[str, StepShape] = {}
    for name, member in _members(cls):
        options = options_of(member)
        if options is None:
            continue
        reader = StepReader(name, member, options, namespace)
        found = reader.read()
        problems += [Problem(file, at, told) for at, told in reader.problems]
        if name in RESERVED:
            told = f"step {name!r}: expressions have another {name!r}; rename"
            problems.append(Problem(file, reader.line, told))
        if found is not None:
            steps[name] = found
    shape = FlowShape(
        name=getattr(cls, "name", ""),
        title=cls.__qualname__,
        module=cls.__module__,
        file=file,
        line=line,
        on=getattr(cls, "on", ""),
        where=cls.where,
        timeout=cls.timeout,
        description=" ".join(cleandoc(cls.__doc__ or "").split("\n\n")[0].split()),
        steps=steps,
    )
    if not problems:
        problems = [*problems_of(shape), *_signature(cls, shape)]
    if problems:
        raise FlowInvalidError(cls.__qualname__, problems)
    return shape


def _unnamed(cls: type[Flow[Any, Any]]) -> list[str]:
    wrong = []
    if not re.fullmatch(FLOW_NAME, str(getattr(cls, "name", ""))):
        wrong.append('a flow has a name: `name = "tell-a-joke"`, of a-z, 0-9 and -')
    if not getattr(cls, "on", ""):
        wrong.append('a flow is started by an event: `on = "joke.requested"`, its type')
    if not any(options_of(member) for _, member in _members(cls)):
        wrong.append("a flow has steps: methods with `@step`")
    return wrong


def _members(cls: type[Flow[Any, Any]]) -> list[tuple[str, Callable[..., Any]]]:
    """The class's own attributes and those it inherits, in the order of their definition."""
    found = {name: member for kind in reversed(cls.__mro__) for name, member in vars(kind).items()}
    return list(found.items())


def _signature(cls: type[Flow[Any, Any]], shape: FlowShape) -> list[Problem]:
    """What `Flow[Start, Stop]` says has to be what the steps say."""
    for kind in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(kind)
        if not (isinstance(origin, type) and issubclass(origin, Flow)):
            continue
        start, stop = get_args(kind)
        stops = set(get_args(stop)) or {stop}
        if start is not shape.start or stops != set(shape.stops):
            told = " | ".join(one.__name__ for one in shape.stops)
            fit = f"Flow[{shape.start.__name__}, {told}]"
            return [Problem(shape.file, shape.line, f"its steps make it a {fit}; say so")]
    return []


def _file_of(cls: type) -> str:
    module = sys.modules.get(cls.__module__)
    found = getattr(module, "__file__", None) or _source_of(cls)
    path = Path(found)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.as_posix()


def _source_of(cls: type) -> str:
    try:
        return getsourcefile(cls) or "<flow>"
    except TypeError:
        return "<flow>"
