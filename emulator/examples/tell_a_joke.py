"""Starts a flow, follows it and prints its result: `python -m emulator.examples.tell_a_joke cats`.

On the local system if one is up (`segue up --detach`), else on what the environment names.
"""
# ruff: noqa: T201 - a program that is to be read prints as anybody would

from __future__ import annotations

import asyncio
import sys

from shared.client import Segue
from shared.errors import SegueError


async def tell(topic: str) -> None:
    """One joke, with every step of the way to it. Raises SegueError."""
    async with Segue() as segue:
        run = await segue.start("joke", {"topic": topic})
        async for change in run.progress():
            print(f"{change.step or run.run_id}: {change.status}")
        outputs = await run.result(timeout=60)  # at once: it has ended
        print(outputs["joke"])


if __name__ == "__main__":
    try:
        asyncio.run(tell(" ".join(sys.argv[1:]) or "cats"))
    except SegueError as error:
        sys.exit(f"error: {error}")
