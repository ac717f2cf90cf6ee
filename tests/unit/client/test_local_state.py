"""What a local system leaves behind: found while it lives, and never taken for one when it died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from shared.client.local_state import (
    AlreadyRunningError,
    State,
    hold,
    is_held,
    read_state,
    write_state,
)

STATE = State(os.getpid(), "google", {"A": "b"}, {"sink": "http://s"}, "/log", {"engine": "e"})
HOLDER = """
import sys, time
from pathlib import Path
from shared.client.local_state import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_state_is_found_while_its_folder_is_held(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert (read_state(folder), is_held(folder)) == (None, False)
    with hold(folder):
        assert (read_state(folder), is_held(folder)) == (None, True)
        write_state(STATE, folder)
        assert read_state(folder) == STATE
    assert (read_state(folder), is_held(folder)) == (None, False)
    assert not (folder / "state.json").exists()


def test_traces_of_a_dead_system_are_no_system_even_if_their_pid_lives(tmp_path: Path) -> None:
    write_state(STATE, tmp_path)
    assert read_state(tmp_path) is None
    with hold(tmp_path):
        assert read_state(tmp_path) is None


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    with hold(tmp_path):
        write_state(STATE, tmp_path)
        with pytest.raises(AlreadyRunningError, match=r"running in .*segue down"), hold(tmp_path):
            pass
        assert read_state(tmp_path) == STATE


def test_kill_9_lets_go_of_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        write_state(STATE, tmp_path)
        assert read_state(tmp_path) == STATE
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert read_state(tmp_path) is None
    with hold(tmp_path):
        assert is_held(tmp_path)


@pytest.mark.parametrize(
    "text", ["", '{"pid": 1', "[]", '{"pid": 1}', json.dumps({**asdict(STATE), "pid": "x"}), "\xff"]
)
def test_a_file_of_another_form_is_no_state(tmp_path: Path, text: str) -> None:
    with hold(tmp_path):
        (tmp_path / "state.json").write_text(text, "latin-1")
        assert read_state(tmp_path) is None
