"""Tools of MCP servers, against real servers of the protocol's official package."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import Result
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

from emulator.serving import Served, serve
from shared.adapters.mcp_servers import KEY, McpServers
from shared.cli.app import app
from shared.domain.agents.tool import ToolVersion
from shared.errors import (
    EffectUnavailableError,
    ToolArgumentsError,
    ToolFailedError,
    ToolResultError,
    ToolUnknownError,
    ToolUnreachableError,
)
from shared.prompting.tool_files import tool_text
from shared.prompting.tool_servers import ToolServer
from shared.runtime.settings import settings
from shared.testing.memory import MemoryStore
from shared.tools import StoredRecords, ToolContext, invoke

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STDIO = Path(__file__).with_name("mcp_stdio_server.py")


class Weather(BaseModel):
    """What a tool returns."""

    city: str
    degrees: int


def offered() -> MCPServer:
    """A server with tools that answer, fail and hang."""
    server = MCPServer("weather")

    @server.tool()
    def look_up(city: str) -> Weather:
        """The weather of a city."""
        if city == "Atlantis":
            raise ToolError("it has sunk")
        return Weather(city=city, degrees=20)

    @server.tool(structured_output=False)
    def key_of(context: Context) -> str:
        """The key that came with the call."""
        meta: Any = context.request_context.meta
        return str(dict(meta or {}).get(KEY))

    @server.tool(structured_output=False)
    async def hang() -> str:
        """Never answers."""
        await asyncio.sleep(3600)
        return ""

    @server.tool(name="no name for a model", structured_output=False)
    def nameless() -> str:
        """A name that Vertex AI refuses."""
        return ""

    return server


class Guarded:
    """Lets nobody in who does not know the word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != b"Bearer w":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def weather() -> AsyncIterator[Served]:
    served = await serve(Guarded(offered().streamable_http_app()))
    yield served
    await served.stop()


def known(served: Served, **fields: Any) -> McpServers:
    fields = {"headers": {"Authorization": "WORD"}, "effects": {"look_up": "pure"}, **fields}
    server = ToolServer.model_validate({"url": f"{served.url}/mcp", **fields})
    return McpServers(lambda: {"weather": server}, {"WORD": "Bearer w"})


async def call(servers: McpServers, tool: str, **args: Any) -> Any:
    version = {one.name: one for one in await servers.tools("weather")}[f"weather.{tool}"]
    return await invoke(version.name, args, context(servers), version)


def context(servers: McpServers | None) -> ToolContext:
    records = StoredRecords(MemoryStore(), lambda: NOW)
    return ToolContext("r", "s", "c", "the key", "x", NOW, records, servers)


async def test_a_servers_tools_are_declared_with_what_is_promised_of_them(weather: Served) -> None:
    found = {tool.name: tool for tool in await known(weather).tools("weather")}
    assert set(found) == {"weather.look_up", "weather.key_of", "weather.hang"}
    tool = found["weather.look_up"]
    assert (tool.description, tool.source) == ("The weather of a city.", "mcp:weather")
    assert (tool.effect, found["weather.hang"].effect) == ("pure", "unsafe")
    assert tool.parameters["required"] == ["city"]
    assert tool.result["required"] == ["city", "degrees"]


async def test_a_call_gives_data_or_else_text_and_carries_its_key(weather: Served) -> None:
    servers = known(weather)
    assert await call(servers, "look_up", city="Delft") == {"city": "Delft", "degrees": 20}
    assert await call(servers, "key_of") == "the key"


async def test_what_goes_wrong_is_told_as_with_any_tool(weather: Served) -> None:
    servers = known(weather)
    with pytest.raises(ToolFailedError, match="it has sunk"):
        await call(servers, "look_up", city="Atlantis")
    with pytest.raises(ToolArgumentsError, match="city"):
        await call(servers, "look_up", town="Delft")
    version = ToolVersion(name="weather.gone", description="x", parameters={}, source="mcp:weather")
    with pytest.raises(ToolFailedError, match=r"(?i)gone"):
        await invoke(version.name, {}, context(servers), version)


async def test_a_result_that_breaks_the_declared_schema_is_refused(weather: Served) -> None:
    version = ToolVersion(
        name="weather.look_up",
        description="x",
        parameters={"type": "object"},
        result={"required": ["humidity"]},
        source="mcp:weather",
    )
    with pytest.raises(ToolResultError, match="humidity"):
        await invoke(version.name, {"city": "Delft"}, context(known(weather)), version)


async def test_a_call_that_was_sent_and_not_answered_may_have_happened(weather: Served) -> None:
    with pytest.raises(EffectUnavailableError, match="broke off: TimeoutError"):
        await known(weather, timeout=1.5).call("weather", "hang", {}, "k")


async def test_a_call_that_was_not_sent_is_made_again_or_told(weather: Served) -> None:
    with pytest.raises(ToolUnreachableError, match="cannot be reached"):
        await known(weather, headers={}).call("weather", "look_up", {"city": "Delft"}, "k")
    gone = ToolServer(url="http://127.0.0.1:9/mcp")
    servers = McpServers(lambda: {"weather": gone}, {})
    unsafe = ToolVersion(name="weather.x", description="x", parameters={}, source="mcp:weather")
    with pytest.raises(ToolUnreachableError, match="cannot be reached"):
        await invoke(unsafe.name, {}, context(servers), unsafe)
    pure = unsafe.model_copy(update={"effect": "pure"})
    with pytest.raises(EffectUnavailableError, match="cannot be reached"):
        await invoke(pure.name, {}, context(servers), pure)


async def test_what_is_not_declared_or_not_set_is_named(weather: Served) -> None:
    with pytest.raises(ToolUnknownError, match="no MCP server 'maps'"):
        await known(weather).call("maps", "find", {}, "k")
    with pytest.raises(ToolFailedError, match="LOST is not set"):
        await known(weather, headers={"A": "LOST"}).call("weather", "look_up", {}, "k")
    version = ToolVersion(name="weather.x", description="x", parameters={}, source="mcp:weather")
    with pytest.raises(ToolUnknownError, match="give `act` the extra `mcp`"):
        await invoke(version.name, {}, context(None), version)


def test_a_command_is_a_server_whose_tools_are_imported_and_called_by_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    server = {"command": [sys.executable, str(STDIO)], "environment": ["GREETING"]}
    (folder / "servers.yaml").write_text(json.dumps({"servers": {"local": server}}), "utf-8")
    (folder / "local.gone.json").write_text(
        tool_text(
            ToolVersion(name="local.gone", description="x", parameters={}, source="mcp:local")
        )
    )
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    monkeypatch.setenv("GREETING", "Hello")
    settings.cache_clear()
    try:
        changed = json.loads(segue("import", "local", "--json").stdout)
        assert [Path(path).name for path in changed] == ["local.greet.json", "local.gone.json"]
        assert json.loads(segue("show", "local.greet", "--json").stdout)["source"] == "mcp:local"
        assert json.loads(segue("call", "local.greet").stdout) == '{"said": "Hello"}'
    finally:
        settings.cache_clear()


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tools", *arguments])
