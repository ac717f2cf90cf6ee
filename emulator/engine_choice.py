"""Which engine a local system runs on: what was asked for, what the environment names, or our own.

Starts nothing. Must not know what runs on the engine.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import open_connection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from emulator.engine import Engine, EngineError, Startable
from shared.runtime.settings import ROOT

INDEXES = ROOT / "infra" / "indexes.yaml"
_EMULATORS = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")


class EngineName(StrEnum):
    """What can be asked for."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    GOOGLE = "google"


@dataclass(frozen=True)
class Outside:
    """Implements `Startable` for emulators that somebody else runs: they are only used."""

    engine: Engine

    def plan(self) -> Engine:
        return self.engine

    def describe(self) -> str:
        return "the emulators of the environment"

    async def start(self, log_dir: Path) -> Engine:
        return self.engine

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Choice:
    """An engine, and what the person who starts it should know about the choice, if anything."""

    engine: Startable
    remark: str | None = None


async def choose(name: EngineName, data_dir: Path | None = None) -> Choice:
    """`auto` takes the emulators that the environment names, else the embedded engine.

    An engine that is asked for by name is started whatever the environment says. Raises EngineError
    where the choice cannot be used, or cannot keep its data in `data_dir`.
    """
    if name == EngineName.AUTO:
        given = await engine_of_environment()
        if given is None:
            return Choice(_embedded(data_dir))
        _no_folder(data_dir, "emulators of the environment keep their data where they were told")
        return Choice(Outside(given))
    named = [variable for variable in _EMULATORS if os.environ.get(variable)]
    remark = (
        f"--engine {name}: {' and '.join(named)} of the environment not used" if named else None
    )
    if name == EngineName.EMBEDDED:
        return Choice(_embedded(data_dir), remark)
    _no_folder(data_dir, "Google's emulators keep nothing")
    return Choice(_google(), remark)


async def engine_of_environment() -> Engine | None:
    """The emulators that the environment names, if it names both.

    Raises EngineError where one does not answer: a shell may remember a system that has ended.
    """
    pubsub_host, firestore_host = (os.environ.get(name) for name in _EMULATORS)
    if not pubsub_host or not firestore_host:
        return None
    for name, host in zip(_EMULATORS, (pubsub_host, firestore_host), strict=True):
        if not await _answers(host):
            message = f"{name} names {host}, where nothing answers: unset it (or open a new shell)"
            raise EngineError(message)
    return Engine("environment", pubsub_host, firestore_host)


def _embedded(data_dir: Path | None) -> Startable:
    from emulator.embedded_engine import EmbeddedEngine  # noqa: PLC0415 - only what is chosen

    return EmbeddedEngine(data_dir=data_dir, indexes=INDEXES)


def _google() -> Startable:
    from emulator import google, google_install  # noqa: PLC0415

    return google.GoogleEngine(google_install.find())


def _no_folder(data_dir: Path | None, because: str) -> None:
    if data_dir is not None:
        raise EngineError(f"--data-dir is for the embedded engine: {because}")


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        opening = open_connection(host.strip("[]"), port)
        _, writer = await asyncio.wait_for(opening, timeout=1)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
