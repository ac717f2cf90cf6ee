"""What a running local system leaves for other commands to find: `.segue/state.json`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

STATE_DIR = Path(os.environ.get("SEGUE_STATE_DIR", ".segue"))


@dataclass(frozen=True)
class State:
    """Process, environment and addresses of a local system that is ready."""

    pid: int
    engine: str
    environment: dict[str, str]
    urls: dict[str, str]
    log: str
    details: dict[str, str] = field(default_factory=dict)


def write_state(state: State, directory: Path) -> None:
    """Atomically: a reader sees a whole file or none."""
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / "state.json.new"
    draft.write_text(json.dumps(asdict(state), indent=2), "utf-8")
    draft.replace(directory / "state.json")


def read_state(directory: Path) -> State | None:
    """The system that is running; None where there is none, or only traces of one."""
    path = directory / "state.json"
    if not path.exists():
        return None
    state = State(**json.loads(path.read_text("utf-8")))
    return state if _is_running(state.pid) else None


def remove_state(directory: Path) -> None:
    (directory / "state.json").unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
