"""One process per stage, each from its built bundle under functions-framework, as in the cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.system import LocalSystem, Options
from tests.emulator.harness import Harness

TICKET = {"id": "T-9", "from": "li@example.com", "body": "The export fails with an error."}


@pytest.mark.usefixtures("system", "installation")
async def test_bundles_alone_carry_a_ticket_to_its_reply(tmp_path: Path) -> None:
    """A second system beside the shared one: nothing of a system may be fixed or global."""
    options = Options(
        directory=tmp_path / "state",
        isolated=True,
        extra_environment={"PYTHONDONTWRITEBYTECODE": ""},  # its bytecode shows what was imported
    )
    local = LocalSystem(options)
    async with local as state:
        harness = Harness(state, tmp_path)
        run = await harness.only_run(
            await harness.publish("support.ticket.created", TICKET), seconds=90
        )
        loaded = {stage: _loaded_from(pid) for stage, pid in local.hosts.pids.items()}
        await harness.close()

    assert run["status"] == "succeeded", run
    assert len(loaded) == 8
    for stage, folder in loaded.items():
        assert folder.name == stage
        assert (folder / "main.py").is_file()
        assert not (folder / "shared" / "testing").exists()
        assert (folder / "prompts" / "flows").exists() is (stage == "route")
        compiled = list((folder / "shared" / "runtime" / "__pycache__").glob("entry.*.pyc"))
        compiled += list((folder / "shared" / "runtime" / "__pycache__").glob("container.*.pyc"))
        assert compiled, f"{stage} did not import `shared` from its bundle"


def _loaded_from(pid: int) -> Path:
    """The working folder of a stage's process: its bundle."""
    return Path(f"/proc/{pid}/cwd").readlink()
