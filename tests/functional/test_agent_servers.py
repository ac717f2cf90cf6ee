"""Tools of servers in an agent: called by what the run is pinned to, and never twice unasked."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.domain.agents.tool import Effect, ToolVersion
from shared.domain.model import Json
from shared.domain.version import FlowVersion
from shared.errors import EffectUnavailableError, ToolFailedError
from shared.ports import ToolServers
from tests.functional.agents import HELPER, asks, model
from tests.functional.system import System, flow


class Server:
    """Implements `ToolServers`: says what it is given to say, the last thing for good."""

    def __init__(self, *says: Json | Exception) -> None:
        self._says = list(says)
        self.calls: list[tuple[str, str, Mapping[str, Json], str]] = []

    async def call(self, server: str, tool: str, args: Mapping[str, Json], key: str) -> Json:
        self.calls.append((server, tool, args, key))
        said = self._says.pop(0) if len(self._says) > 1 else self._says[0]
        if isinstance(said, Exception):
            raise said
        return said


def helped(effect: Effect) -> FlowVersion:
    find = ToolVersion(
        name="maps.find",
        description="Finds a place.",
        parameters={"type": "object", "required": ["name"]},
        effect=effect,
        source="mcp:maps",
    )
    steps = "help: {agent: helper, tools: [maps.find]}"
    return flow(steps, HELPER, more="outputs: {said: '{{ help.text }}'}", tools={find.name: find})


async def played(effect: Effect, server: ToolServers | None, **args: Json) -> System:
    asked = model(asks(("maps.find", args)), "All done.")
    system = System([helped(effect)], model=asked, servers=server)
    await system.start({"n": 7})
    return system


def told(system: System) -> Json:
    """What the model was told of its call."""
    [_, last] = system.model.calls  # type: ignore[attr-defined]
    response: Json = last.said[1].parts[0]["functionResponse"]["response"]
    return response


async def test_a_server_is_called_with_the_calls_own_key() -> None:
    server = Server({"at": [1, 2]})
    system = await played("unsafe", server, name="Delft")
    [(name, tool, args, key)] = server.calls
    assert (name, tool, args) == ("maps", "find", {"name": "Delft"})
    assert key
    assert told(system) == {"at": [1, 2]}


@pytest.mark.parametrize(
    ("server", "code"),
    [
        (Server(ToolFailedError("it is closed")), "ToolFailed"),
        (None, "ToolUnknown"),
    ],
)
async def test_what_goes_wrong_is_for_the_model(server: Server | None, code: str) -> None:
    said = told(await played("unsafe", server, name="Delft"))
    assert isinstance(said, dict)
    assert isinstance(said["error"], dict)
    assert said["error"]["code"] == code


async def test_arguments_are_checked_before_a_server_hears_of_them() -> None:
    server = Server("never")
    assert "'name' is a required property" in str(told(await played("pure", server, town="Delft")))
    assert server.calls == []


async def test_a_keyed_call_that_broke_off_is_made_again_with_its_key() -> None:
    server = Server(EffectUnavailableError("broke off"), "found")
    system = await played("keyed", server, name="Delft")
    assert [key for *_, key in server.calls] == [server.calls[0][3]] * 2
    assert told(system) == {"result": "found"}


async def test_an_unsafe_call_that_broke_off_waits_for_a_person() -> None:
    server = Server(EffectUnavailableError("broke off"), "found")
    system = await played("unsafe", server, name="Delft")
    assert len(server.calls) == 1
    assert (await system.report())["status"] in {"running", "waiting"}
