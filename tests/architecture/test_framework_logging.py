"""Log lines as a deployed function writes them: the framework neither stops nor edits any.

With LOG_EXECUTION_ID the framework configures `logging` after it has imported the function,
disables the loggers that exist by then, and rewrites what goes to `sys.stdout` meanwhile.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.settings import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUEST_TRACE = "105445aa7843bc8bf206b12000100000"
HEADER = f"{REQUEST_TRACE}/123456;o=1"
MESSAGE = {
    "data": base64.b64encode(b"{}").decode(),
    "attributes": {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    "messageId": "7",
    "publishTime": "2026-01-01T00:00:00Z",
}
# A function of the framework whose handler says something in every way there is.
_MAIN = """
import asyncio, logging
import functions_framework.aio
from shared.delivery.handled import Handled
from shared.runtime.entry import server

early = logging.getLogger("functions.act.calls.mine")  # exists when the framework configures

def in_a_thread():
    early.info("from a thread", extra={"n": 1})

async def handle(received, deps):
    received.describe({"correlation_id": "c1", "run_id": "r1"})
    early.info("from a function")
    await asyncio.to_thread(in_a_thread)
    logging.getLogger("httpx").info("GET https://host/?key=secret")
    logging.getLogger("uvicorn.error").error("from the server")
    deps.telemetry.log("NOTICE", "from the stage")
    print("printed")
    try:
        1 / 0
    except ZeroDivisionError:
        early.exception("caught")
    return Handled("done")

serve = server("sweep", handle)

@functions_framework.aio.http
async def probe(request):
    return await serve(request)
"""
# Serves one request without a socket. A server configures its loggers between import and request.
_SERVE = """
import asyncio, logging, sys
import functions_framework
app = functions_framework.create_app("probe", sys.argv[1])
server = logging.getLogger("uvicorn.error")
server.addHandler(logging.StreamHandler(sys.stderr))
server.propagate = False
body, header = sys.argv[2].encode(), sys.argv[3].encode()
scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/", "root_path": "",
         "raw_path": b"/", "query_string": b"", "scheme": "http", "server": ("host", 80),
         "headers": [(b"x-cloud-trace-context", header)]}

async def receive():
    return {"type": "http.request", "body": body, "more_body": False}

async def send(message):
    if message["type"] == "http.response.start":
        assert message["status"] == 204, message

asyncio.run(app(scope, receive, send))
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the process wrote to standard output."""
    main = tmp_path_factory.mktemp("function") / "main.py"
    main.write_text(_MAIN, "utf-8")
    body = json.dumps({"message": MESSAGE, "subscription": "segue-sweep"})
    environment = {
        "PYTHONPATH": str(ROOT),
        "PATH": "",
        "LOG_EXECUTION_ID": "true",
        "GOOGLE_CLOUD_PROJECT": "p",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",  # never called, and asks for no credentials
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _SERVE, str(main), body, HEADER],
        cwd=Path(main).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "from the server" not in done.stderr
    return done.stdout.splitlines()


def told(output: list[str]) -> Mapping[str, dict[str, Any]]:
    """The JSON lines, by message; that of the attempt by its stage."""
    lines = [json.loads(line) for line in output if line.startswith("{")]
    return {line.get("stage") or line["message"]: line for line in lines}


def test_whoever_writes_is_heard_once(output: list[str]) -> None:
    said = [json.loads(line)["message"] for line in output if line.startswith("{")]
    expected = {"from a function", "from a thread", "from the server", "from the stage", "caught"}
    assert len(said) - ("printed" in said) == len(expected) + 1  # and the attempt's own line
    assert expected <= set(said)
    assert not any("secret" in line for line in output)
    assert any("printed" in line for line in output)


def test_every_line_is_of_the_message_in_hand(output: list[str]) -> None:
    lines = told(output)
    spans = {line["logging.googleapis.com/spanId"] for line in lines.values() if "kind" in line}
    assert len(spans) == 1
    assert "123456" not in spans  # the request's, which the framework writes over ours
    for line in lines.values():
        if "kind" in line:
            assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{TRACE}"
            labels = {"stage": "sweep", "correlation_id": "c1", "run_id": "r1"}
            assert line["logging.googleapis.com/labels"] == labels
            assert line["request_trace"] == REQUEST_TRACE


def test_each_line_says_who_wrote_it_and_how_bad_it_is(output: list[str]) -> None:
    lines = told(output)
    found = {
        name: (line["severity"], line.get("logger"))
        for name, line in lines.items()
        if "kind" in line
    }
    assert found == {
        "from a function": ("INFO", "functions.act.calls.mine"),
        "from a thread": ("INFO", "functions.act.calls.mine"),
        "from the server": ("ERROR", "uvicorn.error"),
        "from the stage": ("NOTICE", None),
        "caught": ("ERROR", "functions.act.calls.mine"),
        "sweep": ("INFO", None),
    }
    assert lines["from a thread"]["fields"] == {"n": 1}
    assert "ZeroDivisionError" in lines["caught"]["stack_trace"]
