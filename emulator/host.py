"""All stages in one process, each under functions-framework: `python -m emulator.host PORT`.

The deployed stages run one by one; this is the same code with less memory. Where SEGUE_CRASH_DIR
names a folder, a file `<point>/<anything>` in it kills the process at that point of the protocol.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import functions_framework
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from shared.delivery import crashpoints
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages


def build() -> Starlette:
    """The stages, mounted under their names."""
    mounts = [
        Mount(f"/{stage}", app=functions_framework.create_app(stage, str(_main(stage))))  # type: ignore[no-untyped-call]
        for stage in read_stages().stages
    ]
    return Starlette(routes=[Route("/healthz", _healthy), *mounts])


def _main(stage: str) -> Path:
    return ROOT / "functions" / stage / "main.py"


async def _healthy(_request: object) -> PlainTextResponse:
    return PlainTextResponse("ok")


def _arm_crash_points(folder: Path) -> None:
    def crash_if_asked(point: crashpoints.Point) -> None:
        for ticket in (folder / point).glob("*"):
            with contextlib.suppress(FileNotFoundError):  # another request has taken this ticket
                ticket.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    crashpoints.arm(crash_if_asked)


def main() -> None:
    """Serves until it is told to stop."""
    folder = os.environ.get("SEGUE_CRASH_DIR")
    if folder:
        _arm_crash_points(Path(folder))
    uvicorn.run(
        build(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
