"""Which system a client finds: the one it is told, the one that is up, or what is named."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.client import NotConnectedError, Segue
from shared.client.connection import (
    NothingRunningError,
    SystemGoneError,
    environment_at_hand,
    pointed_at,
    require_answering,
)
from shared.client.local_state import State, hold, write_state

LOCAL = {"GOOGLE_CLOUD_PROJECT": "segue-local", "PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Path]:
    """The folder of a local system that is up."""
    with hold(tmp_path):
        write_state(State(os.getpid(), "embedded", LOCAL, {}, "/log"), tmp_path)
        yield tmp_path


def test_the_local_system_is_found_and_arguments_win(up: Path) -> None:
    assert environment_at_hand({}, up) == LOCAL
    given = {"GOOGLE_CLOUD_PROJECT": "segue-local", "SEGUE_PREFIX": "mine"}
    assert environment_at_hand(given, up) == {**LOCAL, "SEGUE_PREFIX": "mine"}


def test_another_project_is_not_the_local_system(up: Path) -> None:
    given = {"GOOGLE_CLOUD_PROJECT": "production"}
    assert environment_at_hand(given, up) == given


def test_a_project_in_the_environment_is_used_where_nothing_is_up(
    tmp_path: Path, up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "production")
    assert environment_at_hand({}, up) == LOCAL
    assert environment_at_hand({}, tmp_path / "nowhere") == {}


def test_emulators_in_the_environment_come_before_the_local_system(
    up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "firestore.example:8080")
    assert environment_at_hand({}, up) == {}


def test_where_nothing_is_named_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(NothingRunningError, match="segue up"):
        environment_at_hand({}, tmp_path)


def test_an_address_of_this_machine_where_nobody_listens_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(SystemGoneError, match="X is localhost:1, where nothing answers"):
        require_answering({"X": "localhost:1"})
    require_answering({"X": "firestore.example:1", "Y": ""})  # others are the client's business


def test_clients_are_pointed_at_a_system_only_while_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGUE_THERE", "before")
    before = dict(os.environ)
    with pointed_at({"SEGUE_THERE": "now", "SEGUE_NEW": "x"}):
        assert (os.environ["SEGUE_THERE"], os.environ["SEGUE_NEW"]) == ("now", "x")
    assert dict(os.environ) == before


async def test_a_client_that_is_not_connected_says_so(deps) -> None:
    segue = Segue(ports=deps)
    with pytest.raises(NotConnectedError, match="async with"):
        await segue.publish("t")
    async with segue:
        await segue.publish("t")
    with pytest.raises(NotConnectedError):
        segue.run("r")


async def test_a_client_without_a_system_is_refused_when_it_connects(tmp_path: Path) -> None:
    with pytest.raises(NothingRunningError):
        async with Segue(state_dir=tmp_path):
            pass
