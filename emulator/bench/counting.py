"""Counts what one run costs in documents and messages, on the in-memory ports.

The numbers are properties of the protocol; no engine changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from shared.prompting.library import read_library
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import Pipeline, World


@dataclass(frozen=True)
class RunCost:
    """Of one run, with its event; the flow's version is stored and known to every stage."""

    writes: int
    reads: int
    messages: int
    steps: int


async def cost_of(event_type: str, data: object) -> RunCost:
    """Runs the event's flow twice and counts the second time."""
    world = World(read_library(ROOT / "prompts"))
    stages = read_stages().stages
    handlers = {
        name: import_module(f"functions.{name}.handler").handle
        for name, stage in stages.items()
        if stage.trigger != "http"
    }
    pipeline = Pipeline(world, stages, handlers)
    await pipeline.publish(event_type, data, ce_id="first")
    await pipeline.run()
    world.documents.reset_counts()
    sent = len(world.messages.published)
    await pipeline.publish(event_type, data, ce_id="second")
    await pipeline.run()
    steps = [path for path in world.documents.writes if "/steps/" in path]
    return RunCost(
        writes=world.documents.writes.total(),
        reads=world.documents.reads.total(),
        messages=len(world.messages.published) - sent,
        steps=len(steps),
    )
