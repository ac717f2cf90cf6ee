"""An agent under misfortune: calls of tools of each effect, of a flow, an approval, hand-offs.

What the tools do is kept here, as the world outside would; a simulation begins with nothing done.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from shared.domain.agents.notes import CallMade
from shared.domain.envelope import ModelRequest
from shared.ports import Model
from shared.prompting.fitting import with_inputs
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from shared.tools import Happened, NotHappened, ToolContext, make
from tests.functional.agents import asks, script, turns_in
from tests.functional.system import EVENT, echoing, flow, library, prompt
from tests.functional.teams import WORKER

_SLOW = 0.4  # seconds that a tool takes after it has done what it does

BOOKED: dict[tuple[str, str], set[str]] = defaultdict(set)  # keys, by run and what was booked
SENT: Counter[tuple[str, str]] = Counter()
PAID: Counter[tuple[str, str]] = Counter()


async def sim_look(n: int) -> int:
    """Doubles."""
    await asyncio.sleep(_SLOW)
    return n * 2


async def sim_book(what: str, context: ToolContext) -> str:
    """Books, once for each key."""
    BOOKED[context.run_id, what].add(context.key)
    await asyncio.sleep(_SLOW)
    return f"booked {what}"


async def _was_sent(what: str, context: ToolContext) -> Happened | NotHappened:
    await asyncio.sleep(_SLOW)
    return Happened(f"sent {what}") if SENT[context.run_id, what] else NotHappened()


async def sim_send(what: str, context: ToolContext) -> str:
    """Sends."""
    await asyncio.sleep(_SLOW)
    SENT[context.run_id, what] += 1
    await asyncio.sleep(_SLOW)
    return f"sent {what}"


async def sim_pay(what: str, context: ToolContext) -> str:
    """Pays."""
    await asyncio.sleep(_SLOW)
    PAID[context.run_id, what] += 1
    await asyncio.sleep(_SLOW)
    return f"paid {what}"


TOOLS = {
    "sim_look": make(sim_look, effect="pure"),
    "sim_book": make(sim_book, effect="keyed"),
    "sim_send": make(sim_send, effect="probe", probe=_was_sent),
    "sim_pay": make(sim_pay, effect="unsafe"),
}
_TURNS = (
    asks(
        ("sim_look", {"n": 1}),
        ("sim_book", {"what": "a"}),
        ("sim_send", {"what": "b"}),
        ("sim_pay", {"what": "c"}),
    ),
    asks(("sim_fly", {}), ("sim_pay", {"what": "d"}), ("ask_worker", {"n": 3})),
    asks(("hand_off_to_clerk", {"reason": "the rest"}), ("sim_look", {"n": 1})),
    asks(("hand_off_to_help", {"reason": "done"})),
    "All is done.",
)


def had_twice() -> Iterator[str]:
    """What tools have done more than once."""
    done = {**SENT, **PAID, **{about: len(keys) for about, keys in BOOKED.items()}}
    for (run_id, what), times in sorted(done.items()):
        if times > 1:
            yield f"{what} was done {times} times for run {run_id}"


def decides(run_id: str, call: CallMade, what: str) -> Any:
    """An approval; of an outcome, the truth."""
    done = str(call.call.args["what"])
    if what == "outcome" and PAID[run_id, done]:
        return {"happened": True, "result": f"paid {done}"}
    return {"approved": True}


def _model() -> Model:
    """A fresh one, in a world where nothing was done."""
    BOOKED.clear()
    SENT.clear()
    PAID.clear()
    answers = {name: _by(name, script(*_TURNS)) for name in ("helper", "clerk")}
    return ScriptedModel(answers, default=echoing)


def _by(name: str, turns: Any) -> Any:
    """Only the clerk has the fourth turn; whoever speaks out of turn says so."""

    def said(request: ModelRequest) -> Any:
        is_clerks = turns_in(request) == _CLERKS
        return turns(request) if is_clerks == (name == "clerk") else f"{name} speaks"

    return said


_CLERKS = 3  # turns before the clerk's
_STEPS = """
    a: {prompt: say, with: {text: one}}
    help:
      needs: a
      agent: helper
      with: {text: "{{ a.text }}"}
      tools:
        - sim_look
        - sim_book
        - sim_send
        - {tool: sim_pay, approval: {when: "args.what == 'd'"}}
        - {flow: worker, as: ask_worker, description: Doubles.}
      hand_offs: {clerk: {agent: clerk, tools: [sim_look]}}
      limits: {turns: 5, calls: 10, repeats: 1}
    tip: {needs: help, prompt: say, with: {text: "{{ help.text }}"}}
    """
_AGENT = flow(
    _STEPS,
    prompt("helper", "{{ text }}"),
    prompt("clerk", "The rest of {{ a.text }}."),
    name="agent",
    more="outputs: {tip: '{{ tip.text }}'}",
    tools={name: tool.version for name, tool in TOOLS.items()},
)
AGENT = Case.revised(
    "agent",
    library(with_inputs(_AGENT, {"worker": WORKER}), WORKER),
    EVENT,
    {"n": 4},
    model=_model,
    decides=decides,
    had_twice=had_twice,
)
