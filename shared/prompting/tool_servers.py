"""`prompts/tools/servers.yaml`: the MCP servers whose tools models may call, and how to reach them.

Decides what may be said of a server. Secrets are not in it: it names environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from shared.domain.durations import Seconds
from shared.domain.model import Declared
from shared.prompting.source import SourceProblems, read_yaml
from shared.prompting.tool_files import FOLDER

FILE = "servers.yaml"
Promise = Literal["pure", "keyed", "unsafe"]  # no server can be asked whether a call happened


class ToolServer(Declared):
    """One server: at a URL, or a command that speaks on its standard input and output.

    headers: by name, the environment variable with the value. environment: variables that the
    command is given. timeout: of one call. effects: by tool, what its author promises; a keyed one
    finds its key in the call's `_meta`, as `segue/key`.
    """

    url: str | None = None
    command: tuple[str, ...] = ()
    headers: dict[str, str] = Field(default_factory=dict)
    environment: tuple[str, ...] = ()
    timeout: Seconds = 60.0
    effects: dict[str, Promise] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way_in(self) -> ToolServer:
        if (self.url is None) == (not self.command):
            raise ValueError("a server has either a url or a command")
        return self


class _ServersFile(Declared):
    """The file."""

    servers: dict[str, ToolServer] = Field(default_factory=dict)


def read_servers(prompts: Path) -> Mapping[str, ToolServer]:
    """The servers by name; none where there is no file. Raises SourceProblems."""
    path = prompts / FOLDER / FILE
    if not path.is_file():
        return {}
    source = read_yaml(path.read_text("utf-8"), f"{prompts.name}/{FOLDER}/{FILE}")
    try:
        return _ServersFile.model_validate(source.data or {}).servers
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
