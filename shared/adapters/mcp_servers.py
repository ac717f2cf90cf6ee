"""Tools of MCP servers, by the protocol's official package: a session for each call.

Decides what a server's answers and failures mean. The package is loaded with the first call.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from shared.domain.agents.tool import MCP, NAME, ToolVersion
from shared.domain.model import Json
from shared.errors import (
    EffectUnavailableError,
    ToolError,
    ToolFailedError,
    ToolUnknownError,
    ToolUnreachableError,
)
from shared.prompting.source import SourceProblems
from shared.prompting.tool_servers import ToolServer

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult, Tool

KEY = "segue/key"  # in a call's `_meta`: the same however often the call is repeated
_PAGES = 100  # of a server's list of tools


class McpServers:
    """Implements `ToolServers`. `environment` has what the declared variables stand for."""

    def __init__(
        self, servers: Callable[[], Mapping[str, ToolServer]], environment: Mapping[str, str]
    ) -> None:
        self._servers = servers
        self._environment = environment

    async def call(self, server: str, tool: str, args: Mapping[str, Json], key: str) -> Json:
        declared = self._declared(server)
        result: CallToolResult | ToolFailedError | None = None
        begun = False
        try:
            async with asyncio.timeout(declared.timeout), self._session(declared) as client:
                begun = True
                result = await _called(client, tool, args, key)
        except Exception as error:  # the package's own come in groups
            if result is None:
                raise _broken(server, error, begun=begun) from error
        if result is None or isinstance(result, ToolFailedError):
            raise result or ToolFailedError(f"the MCP server {server} gave no answer")
        return _value(result)

    async def tools(self, server: str) -> list[ToolVersion]:
        """What the server offers, as tools named `server.tool`, but for names no model takes.

        Raises ToolUnknownError where no such server is declared, ToolUnreachableError.
        """
        declared = self._declared(server)
        found: list[Tool] = []
        try:
            async with asyncio.timeout(declared.timeout), self._session(declared) as client:
                found = await _listed(client)
        except Exception as error:  # the same as above
            raise _broken(server, error, begun=False) from error
        made = [_version(server, tool, declared) for tool in found]
        return [version for version in made if version is not None]

    def _declared(self, server: str) -> ToolServer:
        try:
            servers = self._servers()
        except SourceProblems as error:
            raise ToolFailedError(f"no MCP server can be called: {error}") from error
        if server not in servers:
            there = ", ".join(servers) or "none"
            raise ToolUnknownError(f"no MCP server {server!r} is declared; there are: {there}")
        return servers[server]

    @asynccontextmanager
    async def _session(self, server: ToolServer) -> AsyncIterator[Client]:
        try:
            import httpx2  # noqa: PLC0415 - see the docstring above
            from mcp import Client, StdioServerParameters  # noqa: PLC0415
            from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ToolFailedError("the extra `mcp` is not installed: segue[mcp]") from error
        if server.url is None:
            command, *arguments = server.command
            known = {name: self._value(name) for name in server.environment}
            started = StdioServerParameters(command=command, args=arguments, env=known or None)
            async with Client(started) as client:
                yield client
            return
        headers = {name: self._value(variable) for name, variable in server.headers.items()}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=server.timeout) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            yield client

    def _value(self, variable: str) -> str:
        if variable not in self._environment:
            raise ToolFailedError(f"the environment variable {variable} is not set")
        return self._environment[variable]


async def _called(
    client: Client, tool: str, args: Mapping[str, Json], key: str
) -> CallToolResult | ToolFailedError:
    from mcp import MCPError  # noqa: PLC0415 - loaded already

    try:
        meta: Any = {KEY: key}
        return await client.call_tool(tool, dict(args), meta=meta)
    except MCPError as error:  # an answer, too
        return ToolFailedError(f"the server refused the call: {error}")


async def _listed(client: Client) -> list[Tool]:
    found: list[Tool] = []
    cursor = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _version(server: str, tool: Tool, declared: ToolServer) -> ToolVersion | None:
    name = f"{server}.{tool.name}"
    if not re.fullmatch(NAME, name):
        return None
    return ToolVersion(
        name=name,
        description=tool.description or tool.title or tool.name,
        parameters=tool.input_schema,
        result=tool.output_schema or {},
        effect=declared.effects.get(tool.name, "unsafe"),
        source=f"{MCP}{server}",
    )


def _value(result: CallToolResult) -> Json:
    """What the server returned as data, or else what it said."""
    texts = [part.text for part in result.content if part.type == "text"]
    if result.is_error:
        raise ToolFailedError("\n".join(texts) or "the server says that it failed")
    if result.structured_content is not None:
        return _plain(result.structured_content)
    if len(texts) == len(result.content):
        return "\n".join(texts)
    return [_plain(part.model_dump(mode="json", by_alias=True)) for part in result.content]


def _plain(value: Any) -> Json:
    plain: Json = value
    return plain


def _broken(server: str, error: Exception, *, begun: bool) -> Exception:
    """What an exception of the package means: it makes a difference whether a call was sent."""
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, ToolError):
        return first
    why = f"{type(first).__name__}: {first}".rstrip(": ")
    if not begun:
        return ToolUnreachableError(f"the MCP server {server} cannot be reached: {why}")
    return EffectUnavailableError(f"the MCP server {server} broke off: {why}")
