"""Agents, their tools and a model that is scripted turn by turn, as the tests of them need them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.envelope import ModelRequest
from shared.domain.model import Json
from shared.domain.records import StepRecord, Tokens
from shared.domain.version import FlowVersion
from shared.errors import EffectUnavailableError, SegueError
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from shared.tools import Happened, NotHappened, Tool, ToolContext, make, replaced
from tests.functional.system import System, flow, prompt

Turn = str | dict[str, Any] | SegueError | Sequence[tuple[str, dict[str, Any]]]

MADE: list[tuple[str, Json]] = []  # what tools did, in order
KEPT: dict[str, Json] = {}  # what receivers that tell repeats have, by key
BROKEN: set[str] = set()


async def look(n: int) -> dict[str, int]:
    """Doubles."""
    if "look" in BROKEN:
        raise RuntimeError("look is broken")
    MADE.append(("look", n))
    return {"twice": n * 2}


async def book(n: int, context: ToolContext) -> str:
    """Books a place, once for each key."""
    if "book" in BROKEN:
        raise EffectUnavailableError("no answer")
    KEPT.setdefault(context.key, n)
    MADE.append(("book", context.key))
    return f"booked {n}"


async def _was_sent(n: int) -> Happened | NotHappened:
    return Happened(f"sent {n}") if ("send", n) in MADE else NotHappened()


async def send(n: int) -> str:
    """Sends a parcel."""
    MADE.append(("send", n))
    return f"sent {n}"


async def pay(n: int) -> str:
    """Pays."""
    MADE.append(("pay", n))
    if "pay" in BROKEN:
        raise EffectUnavailableError("no answer")
    return f"paid {n}"


async def hang() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return "never"


TOOLS: dict[str, Tool] = {
    "look": make(look, effect="pure"),
    "book": make(book, effect="keyed"),
    "send": make(send, effect="probe", probe=_was_sent),
    "pay": make(pay, effect="unsafe"),
    "hang": make(hang, effect="pure"),
}
HELPER = prompt("helper", "Help with {{ event.data.n }}.")


def agent(
    more: str = "tools: [look, book, send, pay]", *others: str, outputs: str = "{{ help.text }}"
) -> FlowVersion:
    """A flow whose step `help` is an agent."""
    steps = "\n".join([f"help: {{agent: helper, {more}}}", *others])
    return flow(steps, HELPER, more=f"outputs: {{said: '{outputs}'}}", tools=TOOLS_KNOWN)


TOOLS_KNOWN = {name: tool.version for name, tool in TOOLS.items()}


def asks(*calls: tuple[str, dict[str, Any]], signature: str = "c2ln") -> ModelReply:
    """An answer that asks for calls; the first has the signature of a thought."""
    asked = tuple(ToolCall(name=name, args=args) for name, args in calls)
    parts = [{"functionCall": {"name": one.name, "args": one.args}} for one in asked]
    parts[0] = {**parts[0], "thoughtSignature": signature}
    said = Said(role="model", parts=tuple(parts))
    return ModelReply("", Tokens(input=5, output=2), "double-1", "stop", asked, said)


def turns_in(request: ModelRequest) -> int:
    """How many turns the model has had before."""
    return sum(one.role == "model" for one in request.said)


def script(*turns: Any) -> Callable[[ModelRequest], Any]:
    """The answers of a model, by how many turns it has had; the last one for good."""
    return lambda request: turns[min(turns_in(request), len(turns) - 1)]


def model(*turns: Any) -> ScriptedModel:
    return ScriptedModel({"helper": script(*turns)})


@contextmanager
def tools(**others: Tool) -> Iterator[None]:
    """The tools are there, and nothing has happened yet."""
    MADE.clear()
    KEPT.clear()
    BROKEN.clear()
    with replaced({**TOOLS, **others}):
        yield


def parts(system: System) -> dict[str, StepRecord]:
    """The turns and calls of the only run's agents."""
    [run] = system.run_ids()
    records = system.stored(f"runs/{run}/steps", StepRecord)
    return {one.step: one for one in records if "[turn-" in one.step}


def made() -> Counter[str]:
    return Counter(name for name, _ in MADE)
