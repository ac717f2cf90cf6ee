"""All stages in one process, each under functions-framework: `python -m emulator.host PORT`.

The deployed stages run one by one; this is the same code with less memory. Where SEGUE_CRASH_DIR
names a folder, a file `<point>/<anything>` in it kills the process at that point of the protocol.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import functions_framework
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.delivery import crashpoints
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages


class Host:
    """The ASGI application: `/<stage>/...` goes to that stage's own application as `/...`.

    Not a Starlette mount: that would redirect `/<stage>` to `/<stage>/`, and every redirected push
    is a delivery of its own.
    """

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._apps["ingest"](scope, receive, send)  # any of them takes part in lifespan
            return
        stage, _, rest = scope["path"].lstrip("/").partition("/")
        if stage not in self._apps:
            healthy = stage == "healthz"
            answer = PlainTextResponse(
                "ok" if healthy else "no such stage", 200 if healthy else 404
            )
            await answer(scope, receive, send)
            return
        own = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        await self._apps[stage](own, receive, send)


def build() -> Host:
    """All stages of the table, each as functions-framework serves it."""
    return Host(
        {
            stage: functions_framework.create_app(stage, str(_main(stage)))  # type: ignore[no-untyped-call]
            for stage in read_stages().stages
        }
    )


def _main(stage: str) -> Path:
    return ROOT / "functions" / stage / "main.py"


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
    gc.disable()  # a sixth of the time to import all stages would go into collections
    app = build()
    gc.enable()
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
