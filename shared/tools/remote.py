"""Tools of servers: arguments checked by the declared schemas before, results after.

Knows only the port; which protocol a server speaks is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.domain.agents.tool import MCP, ToolVersion
from shared.domain.model import Json
from shared.errors import (
    EffectUnavailableError,
    ToolArgumentsError,
    ToolResultError,
    ToolUnknownError,
    ToolUnreachableError,
)
from shared.tools.context import ToolContext

_SHOWN = 3  # problems that are told at once


def is_remote(version: ToolVersion) -> bool:
    """Whether a server has the tool."""
    return version.source.startswith(MCP)


async def invoke_remote(
    version: ToolVersion, args: Mapping[str, Json], context: ToolContext
) -> Json:
    """The result. Raises what `invoke` does.

    EffectUnavailableError too: where the call may be made again as if it had not been, and where
    nobody knows whether an unsafe one was carried out.
    """
    server = version.source.removeprefix(MCP)
    if context.servers is None:
        remedy = "give `act` the extra `mcp` in functions/stages.yaml, then `make lock`"
        raise ToolUnknownError(f"{version.name} is of the MCP server {server}: {remedy}")
    if problems := _problems(version.parameters, dict(args)):
        raise ToolArgumentsError(f"{version.name}: {problems}")
    tool = version.name.removeprefix(f"{server}.")
    try:
        result = await context.servers.call(server, tool, args, context.key)
    except ToolUnreachableError as error:
        if version.effect == "unsafe":  # known not to have happened: that is for the model
            raise
        raise EffectUnavailableError(error.detail) from error
    if problems := _problems(version.result, result):
        raise ToolResultError(f"{version.name}: {problems}")
    return result


def _problems(schema: Mapping[str, Any], value: Any) -> str:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - only such tools need it

    found = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda each: each.json_path)
    return "; ".join(f"{each.json_path}: {each.message}" for each in found[:_SHOWN])
