"""Which engine runs: the one that is asked for, else the environment's, else the embedded one."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import engine_choice, google_install
from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineError, EngineMissingError
from emulator.engine_choice import EngineName, Outside, choose
from emulator.google import GoogleEngine
from emulator.google_install import Installation, Jar, Java

GIVEN = Engine("environment", "127.0.0.1:1", "127.0.0.1:2")
NOTHING = Path("nothing")


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names emulators, and they answer."""

    async def answers(_address: str) -> bool:
        return True

    monkeypatch.setattr(engine_choice, "_answers", answers)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", GIVEN.pubsub_host)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", GIVEN.firestore_host)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Installation(Java(NOTHING, 17), Jar(NOTHING, (1, 2)), Jar(NOTHING, ()))
    monkeypatch.setattr(google_install, "find", lambda: found)


async def test_the_embedded_engine_is_what_needs_nothing_else() -> None:
    choice = await choose(EngineName.AUTO)
    assert isinstance(choice.engine, EmbeddedEngine)
    assert choice.remark is None


@pytest.mark.usefixtures("named")
async def test_the_environment_comes_before_it(tmp_path: Path) -> None:
    choice = await choose(EngineName.AUTO)
    assert choice.engine == Outside(GIVEN)
    assert choice.engine.plan() == await choice.engine.start(tmp_path) == GIVEN
    await choice.engine.stop()  # it is not ours to stop


@pytest.mark.usefixtures("named", "installed")
@pytest.mark.parametrize(
    ("name", "kind"), [(EngineName.EMBEDDED, EmbeddedEngine), (EngineName.GOOGLE, GoogleEngine)]
)
async def test_what_is_asked_for_comes_before_the_environment_and_says_so(
    name: EngineName, kind: type
) -> None:
    choice = await choose(name)
    assert isinstance(choice.engine, kind)
    assert choice.remark == (
        f"--engine {name}: PUBSUB_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST"
        " of the environment not used"
    )


async def test_what_google_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise EngineMissingError("no Java")

    monkeypatch.setattr(google_install, "find", missing)
    with pytest.raises(EngineMissingError, match="no Java"):
        await choose(EngineName.GOOGLE)


@pytest.mark.usefixtures("named", "installed")
@pytest.mark.parametrize("name", [EngineName.AUTO, EngineName.GOOGLE])
async def test_a_folder_for_an_engine_that_has_no_use_for_it_is_refused(
    tmp_path: Path, name: EngineName
) -> None:
    with pytest.raises(EngineError, match="--data-dir is for the embedded engine"):
        await choose(name, tmp_path)


async def test_the_embedded_engine_says_where_its_data_is(tmp_path: Path) -> None:
    kept = (await choose(EngineName.EMBEDDED, tmp_path)).engine.describe()
    assert kept.endswith(f"kept in {tmp_path}")
    assert (await choose(EngineName.EMBEDDED)).engine.describe().endswith("in memory")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", [EngineName.EMBEDDED, EngineName.GOOGLE])
async def test_the_ports_that_are_planned_stay(name: EngineName) -> None:
    engine = (await choose(name)).engine
    assert engine.plan() == engine.plan()
