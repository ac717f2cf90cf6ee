"""Reads the annotations of one `@step` method; what cannot be read is a problem with its line.

Decides what a parameter and a return value may be. Must not know the other steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

from shared.typed.context import Context
from shared.typed.events import EVENT, Event, ProgressEvent, StartEvent, StopEvent, name_of
from shared.typed.shapes import Given, StepShape, Taken
from shared.typed.steps import Options

_PARAMETER = "an Event, a union or a list of some, or a Context"
_RETURN = "an Event, a union or a list of some, or None"


class UnfitAnnotationError(Exception):
    """An annotation that says nothing a flow can be made of."""


class StepReader:
    """Reads one method. `problems` are (line, message)."""

    def __init__(
        self, name: str, method: Callable[..., Any], options: Options, namespace: Mapping[str, Any]
    ) -> None:
        self._name = name
        self._method = method
        self._options = options
        self._namespace = dict(namespace)
        self.line = method.__code__.co_firstlineno
        self.problems: list[tuple[int, str]] = []

    def read(self) -> StepShape | None:
        """The step, None where there is a problem."""
        hints = self._hints()
        if hints is None:
            return None
        takes: list[Taken] = []
        context: list[tuple[str, type[BaseModel] | None]] = []
        for parameter in self._parameters():
            if parameter not in hints:
                self._complain(f"parameter {parameter!r} has no annotation; it is {_PARAMETER}")
            elif (get_origin(hints[parameter]) or hints[parameter]) is Context:
                context.append((parameter, self._state(hints[parameter])))
            else:
                takes.extend(self._taken(parameter, hints[parameter]))
        gives = self._given(hints)
        if len(context) > 1:
            self._complain("one Context is enough; remove the other parameter")
        if self.problems or gives is None:
            return None
        named, state = context[0] if context else (None, None)
        return StepShape(
            self._name,
            self._method,
            self._options,
            tuple(takes),
            gives,
            self.line,
            named,
            state,
        )

    def _hints(self) -> dict[str, Any] | None:
        try:
            return get_type_hints(self._method, localns=self._namespace)
        except NameError as error:
            self._complain(f"{error}; define it above the flow, outside of TYPE_CHECKING")
        except TypeError as error:
            self._complain(f"an annotation cannot be read: {error}")
        return None

    def _parameters(self) -> Iterator[str]:
        _, *parameters = inspect.signature(self._method).parameters.values()
        for parameter in parameters:
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                self._complain(f"parameter {parameter.name!r} takes anything; name each event")
            else:
                yield parameter.name

    def _taken(self, parameter: str, hint: Any) -> Iterator[Taken]:
        try:
            kinds, many, maybe = _read(hint)
        except UnfitAnnotationError as error:
            self._complain(f"parameter {parameter!r} is {error}; it is to be {_PARAMETER}")
            return
        stops = [name_of(kind) for kind in kinds if issubclass(kind, StopEvent)]
        if maybe:
            self._complain(f"parameter {parameter!r} may be None; a step waits for what it takes")
        elif stops:
            self._complain(f"parameter {parameter!r} takes {stops[0]}, which ends the run")
        elif len(kinds) + many > 1 and any(issubclass(kind, StartEvent) for kind in kinds):
            self._complain(
                f"parameter {parameter!r} takes the StartEvent with others; give it one of its own"
            )
        else:
            self._require_usable(kinds)
            yield Taken(parameter, kinds, many)

    def _given(self, hints: Mapping[str, Any]) -> Given | None:
        if "return" not in hints:
            self._complain(f"no return annotation; it is {_RETURN}")
            return None
        if hints["return"] is NoneType:
            return Given()
        try:
            kinds, many, maybe = _read(hints["return"])
        except UnfitAnnotationError as error:
            self._complain(f"it returns {error}; it is to return {_RETURN}")
            return None
        if any(issubclass(kind, StartEvent) for kind in kinds):
            self._complain("it returns a StartEvent: a flow is started from outside")
        if many and any(issubclass(kind, StopEvent) for kind in kinds):
            self._complain("it returns a list of StopEvents: a run ends once; return one of them")
        self._require_usable(kinds)
        return Given(kinds, many, maybe)

    def _require_usable(self, kinds: tuple[type[Event], ...]) -> None:
        for kind in kinds:
            if EVENT in kind.model_fields:
                self._complain(
                    f"{name_of(kind)} has a field {EVENT!r}, which says its name; rename"
                )
            if issubclass(kind, ProgressEvent):
                self._complain(f"{name_of(kind)} is a ProgressEvent; tell it with `ctx.emit`")

    def _state(self, hint: Any) -> type[BaseModel] | None:
        arguments = get_args(hint)
        if not arguments:
            return None
        [state] = arguments
        if state is Any:
            return None
        if not (isinstance(state, type) and issubclass(state, BaseModel)):
            self._complain(f"the state {_told(state)} is no pydantic model; make it one")
            return None
        try:
            state()
        except ValidationError:
            self._complain(f"the state {state.__name__} has to begin somewhere: give all defaults")
        return state

    def _complain(self, message: str) -> None:
        self.problems.append((self.line, f"step {self._name!r}: {message}"))


def _read(hint: Any) -> tuple[tuple[type[Event], ...], bool, bool]:
    """(kinds, whether it is a list, whether it may be None). Raises UnfitAnnotationError."""
    if get_origin(hint) is list:
        [inner] = get_args(hint)
        kinds, many, maybe = _read(inner)
        if many or maybe:
            raise UnfitAnnotationError(_told(hint))
        return kinds, True, False
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    kinds = tuple(one for one in options if isinstance(one, type) and issubclass(one, Event))
    others = [one for one in options if one not in kinds and one is not NoneType]
    if any(get_origin(one) is list for one in others) and len(options) > 1:
        raise UnfitAnnotationError(f"{_told(hint)}, a list or something else: one of the two")
    if others or not kinds:
        raise UnfitAnnotationError(_told(hint))
    return kinds, False, NoneType in options


def _told(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
