"""Python functions that models may call, by name.

Decides what may be registered as what. Calls none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from shared.domain.agents.tool import Effect, ToolVersion
from shared.errors import ToolDeclarationError
from shared.tools.signature import Signature, described, named, read_signature

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Tool:
    """A registered function. `probe` can tell whether a call of it has happened."""

    version: ToolVersion
    function: Callable[..., Any]
    signature: Signature
    probe: Callable[..., Any] | None = None
    probe_signature: Signature | None = None


_REGISTERED: dict[str, Tool] = {}


@overload
def tool(name: Function, /) -> Function: ...


@overload
def tool(
    name: str | None = None,
    /,
    *,
    effect: Effect = "unsafe",
    description: str | None = None,
    probe: Callable[..., Any] | None = None,
) -> Callable[[Function], Function]: ...


def tool(
    name: Any = None,
    /,
    *,
    effect: Effect = "unsafe",
    description: str | None = None,
    probe: Callable[..., Any] | None = None,
) -> Any:
    """Makes a function one that models may call. The function itself stays as it is.

    Its name and docstring are what the model is told, its annotations are the schema of the
    arguments and of the result. A parameter annotated `ToolContext` is given by the system.

    `effect` is what may be done with a call of which nobody knows whether it happened:

    - `pure`: it changes nothing, and is made again.
    - `keyed`: it takes a ToolContext and hands its `key` on, so that a repetition changes nothing.
    - `probe`: the function `probe`, given the same arguments, says Happened(result) or
      NotHappened().
    - `unsafe`: a person decides. It is the default because the three others are promises, which
      only the author can make.

    Raises ToolDeclarationError where the function does not fit, or the name is taken.
    """
    if callable(name):
        return tool()(name)

    def register(function: Function) -> Function:
        made = make(function, name, effect=effect, description=description, probe=probe)
        before = _REGISTERED.get(made.version.name)
        if before is not None:
            taken = f"{made.version.name!r} is a tool already, as {before.function.__qualname__}"
            raise ToolDeclarationError(taken)
        _REGISTERED[made.version.name] = made
        return function

    return register


def make(
    function: Callable[..., Any],
    name: str | None = None,
    *,
    effect: Effect = "unsafe",
    description: str | None = None,
    probe: Callable[..., Any] | None = None,
) -> Tool:
    """The same, not registered."""
    name = named(name or function.__name__)
    signature = read_signature(function, name)
    if effect == "keyed" and signature.context is None:
        problem = "a keyed tool needs its key: give it a parameter annotated ToolContext"
        raise ToolDeclarationError(f"tool {name!r}: {problem}")
    if (effect == "probe") != (probe is not None):
        raise ToolDeclarationError(f"tool {name!r}: effect 'probe' and probe=... go together")
    version = ToolVersion(
        name=name,
        description=described(function, name, description),
        parameters=signature.parameters,
        result=signature.result_schema,
        effect=effect,
    )
    asked = read_signature(probe, f"{name}.probe") if probe is not None else None
    if asked is not None and asked.parameters != signature.parameters:
        raise ToolDeclarationError(f"tool {name!r}: its probe must take the same arguments")
    return Tool(version, function, signature, probe, asked)


def registered_tools() -> dict[str, ToolVersion]:
    """What models may be offered in this process, in the order of names."""
    return {name: _REGISTERED[name].version for name in sorted(_REGISTERED)}


def find(name: str) -> Tool | None:
    """The tool of this name."""
    return _REGISTERED.get(name)


@contextmanager
def replaced(tools: Mapping[str, Tool]) -> Iterator[None]:
    """Has these tools called by their names, whatever else is registered as that."""
    before = dict(_REGISTERED)
    _REGISTERED.update(tools)
    try:
        yield
    finally:
        _REGISTERED.clear()
        _REGISTERED.update(before)
