"""`make lock`: resolves the dependencies anew, for development, and within that for each stage.

A stage gets what every stage needs and the extras that its row of the table names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

LOCK = ".ci/requirements.lock"
_COMPILE = ("pip", "compile", "pyproject.toml", "--universal", "--generate-hashes", "--quiet")
_OLDEST = ("--python-version", "3.11")


def commands() -> Iterator[tuple[str, ...]]:
    """What uv is asked for, in this order: the stages' pins are those of the lock."""
    yield (*_COMPILE, *_OLDEST, "--extra", "dev", "-o", LOCK)
    for stage in read_stages().stages.values():
        extras = [argument for extra in stage.extras for argument in ("--extra", extra)]
        pins = ("-c", LOCK, "--no-header", "--no-annotate")
        output = f"functions/{stage.name}/requirements.txt"
        yield (*_COMPILE, *_OLDEST, *extras, *pins, "-o", output)


def main() -> int:
    """Exit code 0, or uv's own where it could not resolve: it has said why."""
    uv = str(Path(sys.executable).with_name("uv"))
    environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    for command in commands():
        done = subprocess.run([uv, *command], cwd=ROOT, env=environment, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
