"""Typed flows that tests run; what their methods did is counted, and can be made to fail.

`CALLED` tells how often methods were called, `BROKEN` which of them must fail.
"""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from shared.domain.version import FlowVersion, PromptVersion
from shared.prompting.library import read_flow
from shared.typed import Context, Event, Flow, ProgressEvent, StartEvent, StopEvent, step
from shared.typed.calling import AnyFlow, register
from shared.typed.compile import flow_text

CALLED: Counter[str] = Counter()
BROKEN: set[str] = set()


def typed(flow: AnyFlow, *prompts: PromptVersion) -> FlowVersion:
    """The version that a typed flow compiles to; its methods can be called from now on."""
    register(flow)
    known = {prompt.name: prompt for prompt in prompts}
    return read_flow(flow_text(flow.shape), f"{flow.name}.yaml", known)


def _called(name: str) -> None:
    CALLED[name] += 1
    if name in BROKEN:
        raise RuntimeError(f"{name} is broken")


class Texts(StartEvent):
    texts: list[str]
    limit: int = 3


class Short(Event):
    text: str


class Long(Event):
    text: str
    limit: int


class Kept(Event):
    text: str


class Cut(Event):
    text: str


class Sorted(StopEvent):
    texts: list[str]
    seen: list[str]
    counts: dict[str, int]


class Looked(ProgressEvent):
    text: str
    size: int


class Tally(BaseModel):
    seen: list[str] = []
    counts: dict[str, int] = {}

    def with_one(self, name: str, text: str) -> Tally:
        counts = {**self.counts, name: self.counts.get(name, 0) + 1}
        return Tally(seen=sorted([*self.seen, text]), counts=dict(sorted(counts.items())))


class Sorting(Flow[Texts, Sorted]):
    """Fan-out to two kinds of events, a state that all edit at once, and a join of two lists."""

    name = "sorting"
    on = "texts.written"

    @step
    async def split(self, asked: Texts, ctx: Context[Tally]) -> list[Short | Long]:
        ctx.edit(lambda tally: tally.with_one("split", "*"))
        for text in asked.texts:
            await ctx.emit(Looked(text=text, size=len(text)))
        return [
            Short(text=text) if len(text) <= asked.limit else Long(text=text, limit=asked.limit)
            for text in asked.texts
        ]

    @step(max_parallel=3)
    def keep(self, short: Short, ctx: Context[Tally]) -> Kept:
        _called(f"keep {short.text}")
        ctx.edit(lambda tally: tally.with_one("keep", short.text))
        return Kept(text=short.text)

    @step
    async def cut(self, long: Long, ctx: Context[Tally]) -> Cut:
        _called(f"cut {long.text}")
        ctx.edit(lambda tally: tally.with_one("cut", long.text))
        return Cut(text=long.text[: long.limit])

    @step
    async def gather(self, kept: list[Kept], cut: list[Cut], ctx: Context[Tally]) -> Sorted:
        tally = await ctx.get()
        texts = [one.text for one in (*kept, *cut)]
        return Sorted(texts=texts, seen=tally.seen, counts=tally.counts)


class Question(StartEvent):
    n: int


class Even(Event):
    half: int


class Odd(Event):
    n: int


class Checked(Event):
    n: int
    why: str


class Weighed(Event):
    grams: int = 0


class Answer(StopEvent):
    text: str


class NoAnswer(StopEvent):
    n: int


class Choosing(Flow[Question, Answer | NoAnswer]):
    """One of two ways, a way out, and a join that waits for whichever way was taken."""

    name = "choosing"
    on = "question.asked"

    @step
    async def choose(self, asked: Question) -> Even | Odd | NoAnswer:
        _called("choose")
        if asked.n == 0:
            return NoAnswer(n=0)
        return Odd(n=asked.n) if asked.n % 2 else Even(half=asked.n // 2)

    @step
    async def weigh(self, asked: Question) -> Weighed:
        return Weighed(grams=asked.n * 10)

    @step
    async def even(self, even: Even) -> Checked | None:
        return Checked(n=even.half * 2, why="even") if even.half < 100 else None

    @step
    async def odd(self, odd: Odd) -> Checked:
        return Checked(n=odd.n, why="odd")

    @step
    async def answer(self, checked: Checked, weighed: Weighed) -> Answer:
        return Answer(text=f"{checked.n} is {checked.why} and weighs {weighed.grams}")
