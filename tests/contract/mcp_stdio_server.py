"""An MCP server on standard input and output, for the test that starts it as a command."""

from __future__ import annotations

import json
import os

from mcp.server.mcpserver import MCPServer

server = MCPServer("local")


@server.tool(structured_output=False)
def greet() -> str:
    """What the environment says."""
    return json.dumps({"said": os.environ["GREETING"]})


if __name__ == "__main__":
    server.run("stdio")
