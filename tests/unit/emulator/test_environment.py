"""The environment of the local system: what it names is checked first, and left as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from emulator import engine_choice
from emulator.engine import Engine, EngineError
from emulator.engine_choice import engine_of_environment
from emulator.surroundings import Ports, environment_of, stage_environment
from shared.runtime.settings import ROOT


def test_stages_are_told_of_a_collector_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a",
        "SEGUE_TRACE_SAMPLE": "0.5",
    }
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert named.items() <= stage_environment({"SEGUE_PREFIX": "segue"}, None).items()


def console_tokens() -> tuple[dict[str, list[str] | str], str]:
    """The tokens of a local system, and that of whoever starts it."""
    made = environment_of(Engine("embedded", "127.0.0.1:1", "127.0.0.1:2"), Ports(), None)
    return json.loads(made["SEGUE_CONSOLE_TOKENS"]), made["SEGUE_CONSOLE_TOKEN"]


def test_whoever_starts_a_local_system_is_given_a_token_of_the_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    known, own = console_tokens()
    assert known == {"ada": [own]}
    assert own != console_tokens()[1]


def test_tokens_of_the_environment_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("SEGUE_CONSOLE_TOKENS", '{"ada": ["mine", "old"], "bob": "his"}')
    known, own = console_tokens()
    assert (known, own) == ({"ada": ["mine", "old"], "bob": ["his"]}, "mine")


@pytest.mark.parametrize("named", [(), ("PUBSUB",), ("FIRESTORE",)])
async def test_an_environment_that_does_not_name_both_names_none(
    monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    for name in named:
        monkeypatch.setenv(f"{name}_EMULATOR_HOST", "127.0.0.1:1")
    assert await engine_of_environment() is None


async def test_emulators_that_answer_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    async def opened(host: str, port: str) -> tuple[Mock, Mock]:
        asked.append((host, port))
        return Mock(), Mock()

    monkeypatch.setattr(engine_choice, "open_connection", opened)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "[::1]:2")
    assert await engine_of_environment() == Engine("environment", "127.0.0.1:1", "[::1]:2")
    assert asked == [("127.0.0.1", "1"), ("::1", "2")]


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError])
async def test_an_address_where_nothing_answers_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    async def opened(_host: str, port: str) -> tuple[Mock, Mock]:
        if port == "2":
            raise error
        return Mock(), Mock()

    monkeypatch.setattr(engine_choice, "open_connection", opened)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:2")
    with pytest.raises(EngineError) as caught:
        await engine_of_environment()
    assert str(caught.value) == (
        "FIRESTORE_EMULATOR_HOST names 127.0.0.1:2, where nothing answers:"
        " unset it (or open a new shell)"
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("edited", "wiped"), [("pyproject.toml", False), (".ci/requirements.lock", True)]
)
def test_only_a_new_lock_wipes_the_virtual_environment(
    tmp_path: Path, edited: str, *, wiped: bool
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for age, name in enumerate(
        (edited, ".venv/.installed", ".venv/.ready", ".ci/requirements.lock", "pyproject.toml")
    ):
        path = tmp_path / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.touch()
            os.utime(path, (1e9 - age, 1e9 - age))
    done = subprocess.run(
        ["make", "-n", "test"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ("venv --clear" in done.stdout) == wiped
    assert "-e ." in done.stdout
