"""The stand-in's control API refuses what it does not understand, with the remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from emulator.serving import serve
from emulator.standin.app import RULES_FILE, build
from emulator.standin.rule_file import load


@pytest_asyncio.fixture(loop_scope="session")
async def control() -> AsyncIterator[httpx.AsyncClient]:
    """The control API of a stand-in of its own."""
    running = await serve(build(load(RULES_FILE)))
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
        yield http
    await running.stop()


async def test_a_wrong_control_request_is_refused_with_the_remedy(
    control: httpx.AsyncClient,
) -> None:
    answer = await control.post("/_faults", json={"fault": "fire"})
    assert answer.status_code == 400
    assert "use one of 429, 503" in answer.json()["error"]
    answer = await control.post("/_rules", content=b"- when: {promt: a}\n  answer: b\n")
    assert answer.json()["error"].startswith("POST /_rules:1: unknown key 'promt'")


async def test_a_path_without_a_model_says_what_the_client_lacks(
    control: httpx.AsyncClient,
) -> None:
    answer = await control.post("/", json={})
    assert answer.status_code == 404
    assert "project and location" in answer.json()["error"]["message"]
