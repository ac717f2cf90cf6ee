"""Python functions that flows can call: registered by name, arguments checked by their types.

Decides nothing about when they run. A function may be sync (it runs in a thread) or async.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, validate_call

from shared.domain.model import Json
from shared.errors import ActionFailedError, ActionInvalidError, SegueError

Function = TypeVar("Function", bound=Callable[..., Any])

_REGISTERED: dict[str, Callable[..., Any]] = {}
_PURE: set[str] = set()
# NaN and infinities stay what they are, to be refused; pydantic would make them null.
_ANY: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))


def registered(name: str, *, pure: bool = False) -> Callable[[Function], Function]:
    """Makes a function callable from flows as `call: name`. A name can be taken once.

    One that is `pure` has no effects: runs that are shadows call it too.
    """

    def register(function: Function) -> Function:
        if name in _REGISTERED:
            raise ValueError(f"{name!r} is registered already, as {_REGISTERED[name].__qualname__}")
        _REGISTERED[name] = validate_call(function)
        if pure:
            _PURE.add(name)
        return function

    return register


def registered_names() -> frozenset[str]:
    """What flows can call in this process."""
    return frozenset(_REGISTERED)


def is_pure(name: str) -> bool:
    """Whether the function says that it has no effects."""
    return name in _PURE


@contextmanager
def replaced(functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Has these functions called by their names, whatever else is registered as that."""
    before = dict(_REGISTERED)
    _REGISTERED.update({name: validate_call(function) for name, function in functions.items()})
    try:
        yield
    finally:
        _REGISTERED.clear()
        _REGISTERED.update(before)


async def invoke(name: str, arguments: Mapping[str, Any]) -> Json:
    """The function's result as JSON.

    Raises ActionInvalidError where the name or an argument does not fit, ActionFailedError where
    the function raised or its result is not JSON (NaN is not); errors of Segue's own tree pass
    through, so a function can ask for a retry by raising EffectUnavailableError.
    """
    function = _REGISTERED.get(name)
    if function is None:
        there = ", ".join(sorted(_REGISTERED)) or "none"
        raise ActionInvalidError(f"no function is registered as {name!r}; there are: {there}")
    try:
        result = await _called(function, arguments)
    except ValidationError as error:
        if error.title not in {function.__name__, function.__qualname__}:  # raised inside of it
            raise ActionFailedError(f"{name} raised {error}") from error
        raise ActionInvalidError(f"{name}: {_problems(error)}") from error
    except SegueError:
        raise
    except Exception as error:  # whatever a registered function raises is the step's failure
        raise ActionFailedError(f"{name} raised {type(error).__name__}: {error}") from error
    return _as_json(name, result)


async def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    return await asyncio.to_thread(function, **arguments)


def _as_json(name: str, result: Any) -> Json:
    try:
        value: Json = _ANY.dump_python(result, mode="json")
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:  # pydantic's own is one, and so is text without a UTF-8 form
        raise ActionFailedError(f"{name} returned what JSON cannot hold: {error}") from error
    return value


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors()
    )
