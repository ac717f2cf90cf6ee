"""A shell that still points at a local system that has been stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", [["runs"], ["dead-letters", "--json"], ["publish", "x"]])
def test_a_system_that_is_gone_is_said_at_once(command: list[str], tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "shared.cli", *command],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PUBSUB_EMULATOR_HOST": address,
                "FIRESTORE_EMULATOR_HOST": address,
                "GOOGLE_CLOUD_PROJECT": "segue-local",
                "SEGUE_STATE_DIR": str(tmp_path),
            },
            check=False,
        )
    assert done.returncode == 2
    assert f"PUBSUB_EMULATOR_HOST is {address}, where nothing answers" in done.stderr
    assert "open a new one" in done.stderr
