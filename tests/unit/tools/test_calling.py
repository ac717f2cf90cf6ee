"""A call of a tool: arguments checked before, the result after, every failure told in words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from shared import tools
from shared.errors import (
    EffectUnavailableError,
    ToolArgumentsError,
    ToolFailedError,
    ToolRefusal,
    ToolResultError,
    ToolUnknownError,
)
from shared.testing.memory import MemoryStore
from shared.tools import (
    Happened,
    NotHappened,
    StoredRecords,
    ToolContext,
    invoke,
    make,
    replaced,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Score(BaseModel):
    """A result that must hold."""

    value: int = Field(ge=0, le=200)
    on: date = date(2026, 1, 1)


def context(key: str = "k1") -> ToolContext:
    records = StoredRecords(MemoryStore(), lambda: NOW)
    return ToolContext("r1", "step", "c1", key, "story", NOW, records)


def double(number: int, on: date = date(2026, 1, 1)) -> Score:
    """Twice the number."""
    assert threading.current_thread() is not threading.main_thread()
    return Score(value=number * 2, on=on)


async def unchecked(value: Any) -> Score:
    """A score that nobody has checked."""
    await asyncio.sleep(0)
    return Score.model_construct(value=value)


async def raw(value: Any) -> Any:
    """Whatever is given."""
    return float(value) if value == "nan" else value


async def keyed(name: str, given: ToolContext) -> dict[str, Any]:
    """Keeps a record."""
    return await given.records.put(given.key, {"name": name, "run": given.run_id})


async def raises(what: str) -> int:
    """Raises."""
    raised: dict[str, Exception] = {
        "defect": ZeroDivisionError("by nothing"),
        "refusal": ToolRefusal("There is no such patient."),
        "retry": EffectUnavailableError("later"),
        "other": ToolArgumentsError("inner: a: wrong"),
    }
    if what in raised:
        raise raised[what]
    return Score.model_validate({"value": what}).value


async def asked(name: str, given: ToolContext) -> Happened | NotHappened:  # noqa: ARG001
    """Whether the record is there."""
    found = await given.records.get(given.key)
    return NotHappened() if found is None else Happened(found)


async def vague(name: str) -> Happened | NotHappened:  # noqa: ARG001
    """Says nothing of use."""
    return None  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    plain = {each.__name__: make(each) for each in (double, unchecked, raw, raises)}
    probed = {
        "keyed": make(keyed, effect="probe", probe=asked),
        "vague": make(keyed, "vague", effect="probe", probe=vague),
    }
    with replaced({**plain, **probed}):
        yield


async def test_arguments_are_read_by_their_types_and_the_result_is_json() -> None:
    assert await invoke("double", {"number": 4, "on": "2026-02-03"}, context()) == {
        "value": 8,
        "on": "2026-02-03",
    }


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({}, "number: Field required"),
        ({"number": "many"}, "number: Input should be a valid integer"),
        ({"number": 1, "colour": "red"}, "colour: Extra inputs"),
        ({"number": 1, "on": "soon"}, "on: "),
    ],
)
async def test_arguments_that_do_not_fit_are_named_and_nothing_is_called(
    args: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ToolArgumentsError, match=problem):
        await invoke("double", args, context())


async def test_a_tool_that_was_invented_is_told_what_there_is() -> None:
    with pytest.raises(ToolUnknownError, match=r"no tool 'tripel'; there are: .*double"):
        await invoke("tripel", {}, context())


@pytest.mark.parametrize("value", [201, -1, "many", None])
async def test_a_result_is_checked_by_what_its_author_declares(value: object) -> None:
    with pytest.raises(ToolResultError, match=r"unchecked: value: "):
        await invoke("unchecked", {"value": value}, context())


async def test_a_result_that_cannot_be_made_is_a_wrong_result_too() -> None:
    with pytest.raises(ToolResultError, match="less than or equal to 200"):
        await invoke("double", {"number": 400}, context())


@pytest.mark.parametrize("value", ["nan", "\ud800"])
async def test_a_result_that_json_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(ToolResultError, match="JSON"):
        await invoke("raw", {"value": value}, context())


async def test_what_a_tool_raises_is_told_and_what_it_refuses_is_told_in_its_words() -> None:
    with pytest.raises(ToolFailedError, match="raises raised ZeroDivisionError: by nothing"):
        await invoke("raises", {"what": "defect"}, context())
    with pytest.raises(ToolRefusal) as refused:
        await invoke("raises", {"what": "refusal"}, context())
    assert refused.value.detail == "There is no such patient."
    with pytest.raises(ToolFailedError, match="inner: a: wrong"):
        await invoke("raises", {"what": "other"}, context())
    with pytest.raises(ToolFailedError, match="validation error"):
        await invoke("raises", {"what": "no number"}, context())


async def test_a_tool_can_ask_to_be_called_again_later() -> None:
    with pytest.raises(EffectUnavailableError):
        await invoke("raises", {"what": "retry"}, context())


async def test_a_repeated_call_finds_its_record_and_another_key_does_not() -> None:
    first = context("k1")
    assert await invoke("keyed", {"name": "Ada"}, first) == {"name": "Ada", "run": "r1"}
    again = await invoke("keyed", {"name": "Bob"}, first)
    assert again == {"name": "Ada", "run": "r1"}
    other = ToolContext("r2", "step", "c1", "k2", "story", NOW, first.records)
    assert await invoke("keyed", {"name": "Bob"}, other) == {"name": "Bob", "run": "r2"}


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", "__x__", "x" * 501])
async def test_a_record_needs_a_name_that_firestore_takes(name: str) -> None:
    with pytest.raises(ToolFailedError, match="is no name"):
        await context().records.put(name, {})


async def test_a_probe_tells_whether_a_call_has_happened() -> None:
    at = context()
    assert await tools.probe("keyed", {"name": "Ada"}, at) == NotHappened()
    done = await invoke("keyed", {"name": "Ada"}, at)
    assert await tools.probe("keyed", {"name": "Ada"}, at) == Happened(done)


async def test_a_tool_without_a_probe_or_with_a_vague_one_cannot_be_asked() -> None:
    with pytest.raises(ToolFailedError, match="has no probe"):
        await tools.probe("double", {"number": 1}, context())
    with pytest.raises(ToolResultError, match="NoneType, not Happened"):
        await tools.probe("vague", {"name": "Ada"}, context())
