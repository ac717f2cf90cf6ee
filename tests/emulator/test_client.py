"""`shared.client` on the whole local system: real Pub/Sub and Firestore clients, real stages."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from emulator.engine_choice import EngineName
from shared.client import RunRefusedError, Segue
from tests.emulator.harness import Harness


def client_of(system: Harness) -> Segue:
    """A client that finds the system by the state it leaves, as after `segue up`."""
    return Segue(state_dir=system.folder / "state")


async def test_a_client_starts_follows_and_awaits_a_run(system: Harness) -> None:
    environment = dict(os.environ)
    async with client_of(system) as segue:
        run = await segue.start("joke", {"topic": "clients"}, id="client-1")
        changes = [change async for change in run.progress()]
        outputs = await segue.run(run.run_id).result(timeout=60)
        again = await segue.start("joke", {"topic": "others"}, id="client-1")
        assert (again.run_id, await again.result(timeout=60)) == (run.run_id, outputs)
    states = [(change.step, change.status.value) for change in changes]

    assert states == [
        (None, "running"),
        ("write", "running"),
        ("write", "succeeded"),
        ("critique", "running"),
        ("critique", "succeeded"),
        (None, "succeeded"),
    ]
    assert changes[-1].output == outputs
    assert changes[2].output == {"text": outputs["joke"]}
    assert dict(os.environ) == environment


async def test_a_client_is_told_of_refused_data_and_of_the_runs_of_an_event(
    system: Harness,
) -> None:
    async with client_of(system) as segue:
        refused = await segue.start("joke", {"topic": 7})
        event = await segue.publish("joke.requested", {"topic": "events"})
        [run] = await event.runs(timeout=60)
        with pytest.raises(RunRefusedError, match=r"event\.data"):
            await refused.result(timeout=60)
        assert "joke" in await run.result(timeout=60)


@pytest.mark.parametrize("system", [EngineName.EMBEDDED], indirect=True, ids=str)
async def test_the_example_tells_a_joke(system: Harness) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-m", "emulator.examples.tell_a_joke", "pirates"],
        capture_output=True,
        text=True,
        env={**os.environ, "SEGUE_STATE_DIR": str(system.folder / "state")},
        check=False,
    )
    *progress, joke = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    states = [line.partition(": ")[2] for line in progress]
    assert states == ["running", *["running", "succeeded"] * 2, "succeeded"]
    assert "pirate" in joke


async def test_without_a_system_the_example_says_what_to_do(tmp_path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "emulator.examples.tell_a_joke"],
        capture_output=True,
        text=True,
        env={**os.environ, "SEGUE_STATE_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is nothing to talk to. Start the local system")
