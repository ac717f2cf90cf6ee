"""Laws of typed flows: whatever the graph, its file is sound, and its runs mean what types say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.domain.flow import Flow as Declared
from shared.prompting.library import NO_LIBRARY, read_flow
from shared.prompting.source import read_yaml
from shared.testing.play import play
from shared.typed import Context, Event, Flow, StartEvent, StopEvent, step
from shared.typed.calling import call_name
from shared.typed.compile import declaration, flow_text
from tests.property.typed_graphs import ABSENT, Ask, Spec, flow_of, meaning, specs


@given(specs())
def test_a_sound_class_compiles_to_a_flow_file_that_is_sound(found: Sequence[Spec]) -> None:
    shape = flow_of(found).shape
    text = flow_text(shape)
    calls = frozenset(call_name("random", spec.name) for spec in found)
    version = read_flow(text, "random.yaml", {}, calls)
    assert version.flow == Declared.model_validate(declaration(shape))
    assert read_yaml(text, "random.yaml").data == declaration(shape)
    assert list(version.flow.steps) == [spec.name for spec in found]


@settings(max_examples=40)
@given(specs(), st.integers(0, 30), st.integers(0, 3))
def test_a_run_gives_what_the_annotations_mean(found: Sequence[Spec], v: int, seed: int) -> None:
    flow, expected = flow_of(found), meaning(found, v)
    played = asyncio.run(play(flow, Ask(v=v), prompts=NO_LIBRARY, seed=seed))
    assert played.status == "succeeded", played.error
    told = {}
    for name in expected:
        was_skipped = played.record["steps"][name]["status"] == "skipped"
        told[name] = ABSENT if was_skipped else played.given(name)
    assert told == expected


class Texts(StartEvent):
    texts: list[str]


class One(Event):
    text: str


class Noted(Event):
    text: str


class Book(StopEvent):
    texts: list[str]


class Notes(BaseModel):
    texts: list[str] = []


def _noted(text: str) -> Any:
    return lambda notes: Notes(texts=[*notes.texts, text])


class Noting(Flow[Texts, Book]):
    name, on = "noting", "texts.given"

    @step
    async def split(self, given: Texts) -> list[One]:
        return [One(text=text) for text in given.texts]

    @step(max_parallel=5)
    async def note(self, one: One, ctx: Context[Notes]) -> Noted:
        ctx.edit(_noted(f"{one.text} begins"))
        ctx.edit(_noted(f"{one.text} ends"))
        return Noted(text=one.text)

    @step
    async def bind(self, noted: list[Noted], ctx: Context[Notes]) -> Book:
        return Book(texts=(await ctx.get()).texts)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=3), max_size=8), st.integers(0, 1000))
def test_edits_in_parallel_are_those_of_some_order_of_the_steps(
    texts: list[str], seed: int
) -> None:
    book = asyncio.run(play(Noting, Texts(texts=texts), prompts=NO_LIBRARY, seed=seed)).stop
    begun, ended = book.texts[::2], book.texts[1::2]
    assert [line.removesuffix(" begins") for line in begun] == [
        line.removesuffix(" ends") for line in ended
    ]
    assert sorted(line.removesuffix(" begins") for line in begun) == sorted(texts)
