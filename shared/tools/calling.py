"""Calls tools: arguments checked before, results after, every failure in a model's words.

Decides nothing about whether a call may be made, or made again.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from shared.domain.agents.tool import ToolVersion
from shared.domain.model import Json
from shared.errors import (
    ToolArgumentsError,
    ToolError,
    ToolFailedError,
    ToolRefusal,
    ToolResultError,
    ToolUnknownError,
    Transient,
)
from shared.tools.context import Happened, NotHappened, ToolContext
from shared.tools.registry import Tool, find, registered_tools
from shared.tools.remote import invoke_remote, is_remote
from shared.tools.signature import Signature

# NaN and infinities stay what they are, to be refused; pydantic would make them null.
_ANY: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
_LONGEST = 2000  # characters of what a tool raised that a model is told


async def invoke(
    name: str,
    args: Mapping[str, Json],
    context: ToolContext,
    version: ToolVersion | None = None,
) -> Json:
    """The tool's result as JSON. `version` is what the run is pinned to: it names a server's tools.

    Raises ToolUnknownError, ToolArgumentsError (it was not called), ToolFailedError (it raised;
    ToolRefusal where it did so for the model), ToolResultError (its result is not what it
    declares). Transient errors of Segue's own tree pass through, so a tool can ask for a retry by
    raising EffectUnavailableError. A sync function runs in a thread, which a timeout cannot stop.
    """
    if version is not None and is_remote(version):
        return await invoke_remote(version, args, context)
    called = _found(name)
    arguments = _arguments(called, called.signature, args, context)
    result = await _called(called, called.function, arguments)
    return _checked(called, result)


async def probe(
    name: str, args: Mapping[str, Json], context: ToolContext
) -> Happened | NotHappened:
    """Whether a call with these arguments has happened; its result then is checked JSON.

    Raises as `invoke` does, ToolFailedError too where the tool cannot be asked.
    """
    asked = _found(name)
    if asked.probe is None or asked.probe_signature is None:
        raise ToolFailedError(f"{name} cannot be asked whether it happened: it has no probe")
    arguments = _arguments(asked, asked.probe_signature, args, context)
    answer = await _called(asked, asked.probe, arguments)
    match answer:
        case Happened(result=result):
            return Happened(_checked(asked, result))
        case NotHappened():
            return answer
        case _:
            given = type(answer).__name__
            problem = f"the probe of {name} returned {given}, not Happened or NotHappened"
            raise ToolResultError(problem)


def _found(name: str) -> Tool:
    found = find(name)
    if found is None:
        there = ", ".join(registered_tools()) or "none"
        raise ToolUnknownError(f"there is no tool {name!r}; there are: {there}")
    return found


def _arguments(
    called: Tool, signature: Signature, args: Mapping[str, Json], context: ToolContext
) -> dict[str, Any]:
    try:
        read = signature.arguments.model_validate(dict(args))
    except ValidationError as error:
        raise ToolArgumentsError(f"{called.version.name}: {_problems(error)}") from error
    fields = type(read).model_fields
    given = {str(field.alias): getattr(read, name) for name, field in fields.items()}
    return given if signature.context is None else {**given, signature.context: context}


async def _called(called: Tool, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    name = called.version.name
    try:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        return await asyncio.to_thread(function, **arguments)
    except (Transient, ToolRefusal):
        raise
    except ValidationError as error:
        if error.title == called.signature.result_title:
            raise ToolResultError(f"{name}: {_problems(error)}") from error
        raise ToolFailedError(f"{name} raised {error}"[:_LONGEST]) from error
    except ToolError as error:  # of another tool, which this one called
        raise ToolFailedError(f"{name}: {error.detail}") from error
    except Exception as error:  # whatever a tool raises is for the model to hear
        raise ToolFailedError(
            f"{name} raised {type(error).__name__}: {error}"[:_LONGEST]
        ) from error


def _checked(called: Tool, result: Any) -> Json:
    """The result as JSON, once all that its annotation asks for has been found to hold."""
    name, adapter = called.version.name, called.signature.result
    try:
        plain = _ANY.dump_python(
            result, mode="json", by_alias=True, round_trip=True, warnings=False
        )
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
        value: Json = adapter.dump_python(
            adapter.validate_python(plain), mode="json", by_alias=True
        )
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValidationError as error:
        raise ToolResultError(f"{name}: {_problems(error)}") from error
    except ValueError as error:  # of pydantic for what JSON cannot hold, and of text without UTF-8
        raise ToolResultError(f"{name} returned what JSON cannot hold: {error}") from error
    return value


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'result'}: {problem['msg']}"
        for problem in error.errors()
    )
