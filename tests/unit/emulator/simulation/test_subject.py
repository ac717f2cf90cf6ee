"""What is simulated: an event for each flow, its data given, shipped or made up, else an error."""

from __future__ import annotations

import shlex

import pytest

from emulator.simulation.core_engine import core_platform
from emulator.simulation.subject import (
    Asked,
    NoSampleError,
    NoSuchFlowError,
    Subject,
    WhoseDataError,
    subjects,
)
from shared.domain.flow import CallTrigger
from shared.prompting.library import Library
from shared.prompting.render import schema_problem
from shared.testing.simulator.simulation import calm
from tests.functional.system import flow, library, shipped

STEP = "a: {call: test.echo}"


def never(why: str) -> None:
    pytest.fail(why)


def one(asked: Asked, data: bytes | None, known: Library) -> Subject:
    [found] = subjects(asked, data, known, never)
    return found


def with_input(schema: str) -> Library:
    return library(flow(STEP, more=f"input: {schema}"))


STARTED = sorted(  # by events or the clock; the others are started by flows
    name for name, one in shipped().flows.items() if not isinstance(one.flow.on, CallTrigger)
)


@pytest.mark.parametrize("name", STARTED)
def test_every_shipped_flow_has_data_that_it_takes(name: str) -> None:
    declared = shipped().flows[name].flow
    found = one(Asked(flow=name), None, shipped())
    assert declared.takes(found.event_type)
    assert declared.input is not None
    assert schema_problem(declared.input, found.data) is None


def test_without_a_flow_all_are_simulated() -> None:
    left: list[str] = []
    names = [subject.name for subject in subjects(Asked(), None, shipped(), left.append)]
    assert names == STARTED
    assert len(left) == len(shipped().flows) - len(STARTED)


def test_a_flow_without_data_is_left_out_where_all_are_asked_for() -> None:
    known = library(flow(STEP), flow(STEP, name="told", more="input: {type: integer}"))
    left: list[str] = []
    assert [subject.name for subject in subjects(Asked(), None, known, left.append)] == ["told"]
    assert len(left) == 1
    assert "'thing' declares no `input`" in left[0]


@pytest.mark.parametrize("known", [library(), library(flow(STEP))], ids=["none", "no data"])
def test_nothing_to_simulate_is_an_error(known: Library) -> None:
    with pytest.raises(NoSampleError, match="there is none"):
        subjects(Asked(), None, known, lambda _why: None)


def test_data_for_no_flow_in_particular_is_refused() -> None:
    with pytest.raises(WhoseDataError):
        subjects(Asked(data="{}"), b"{}", shipped(), never)


def test_given_data_is_taken_as_it_is() -> None:
    found = one(Asked(flow="thing", data="[1]"), b"[1]", library(flow(STEP)))
    assert found.data == [1]


def test_data_is_made_up_from_the_input_schema() -> None:
    known = with_input("{type: object, required: [n], properties: {n: {type: integer}}}")
    assert isinstance(one(Asked(flow="thing"), None, known).data["n"], int)


def test_an_event_alone_is_simulated_with_whatever_takes_it() -> None:
    found = one(Asked(event="some.event", data='{"a": 1}'), b'{"a": 1}', shipped())
    assert (found.name, found.event_type, found.data) == ("some.event", "some.event", {"a": 1})


def test_without_data_an_event_alone_has_that_of_a_flow_that_takes_it() -> None:
    asked = Asked(event="thing.happened")
    silent = flow(STEP, name="a", more="on: {event: 'thing.*'}")
    telling = flow(STEP, name="b", more="on: {event: 'thing.*'}\ninput: {type: integer}")
    assert isinstance(one(asked, None, library(silent, telling)).data, int)
    with pytest.raises(NoSampleError, match=r"no flow that takes events 'thing\.happened'"):
        subjects(asked, None, library(silent), never)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (library(flow(STEP)), "declares no `input`"),
        (with_input("{type: string, pattern: '^[0-9]{40}$'}"), "must meet pattern"),
        (with_input("{type: integer, minimum: 2, maximum: 1}"), "no whole number fits"),
        (library(flow(STEP, more="on: {event: 'thing.*'}")), "name one with --event"),
    ],
)
def test_data_that_cannot_be_made_up_must_be_given(known: Library, told: str) -> None:
    with pytest.raises(NoSampleError, match=told):
        subjects(Asked(flow="thing"), None, known, never)


def test_a_flow_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NoSuchFlowError, match=r"there are: .*joke, .*support-reply"):
        subjects(Asked(flow="nope"), None, shipped(), never)


def test_the_replay_command_asks_for_the_same() -> None:
    data = """{"text": "it's"}"""
    found = one(Asked("thing", "thing.happened", data), data.encode(), library(flow(STEP)))
    assert shlex.split(found.replay(7)) == [
        *("segue", "simulate", "--flow", "thing", "--event", "thing.happened"),
        *("--data", data, "--seed", "7", "--trace"),
    ]


SCHEDULED = flow(STEP, name="nightly", more="on: {schedule: {cron: 0 3 * * *, data: {a: 1}}}")


def test_a_scheduled_flow_is_simulated_with_its_own_tick() -> None:
    [found] = subjects(Asked(), None, library(SCHEDULED), never)
    assert (found.event_type, found.data) == ("segue.schedule.due", {"a": 1})
    assert (found.scheduled, found.case(library(SCHEDULED)).scheduled) == ("nightly", "nightly")
    told = one(Asked(flow="nightly", data='{"a": 2}'), b'{"a": 2}', library(SCHEDULED))
    assert (told.scheduled, told.data) == ("nightly", {"a": 2})


def test_another_event_for_a_scheduled_flow_is_no_tick() -> None:
    found = one(Asked(flow="nightly", event="some.event"), None, library(SCHEDULED))
    assert (found.event_type, found.scheduled) == ("some.event", None)


@pytest.mark.parametrize(("name", "documents"), [("ask-docs", 1), ("documents", 0), ("joke", 0)])
def test_a_flow_that_searches_has_the_sample_document_to_find(name: str, documents: int) -> None:
    case = one(Asked(flow=name), None, shipped()).case(shipped())
    assert [one.collection.collection for one in case.shelved] == ["docs"] * documents


def test_what_a_simulated_agent_finds_is_what_it_answers_from() -> None:
    [ending] = calm(
        one(Asked(flow="ask-docs"), None, shipped()).case(shipped()), core_platform(), events=1
    ).endings.values()
    assert "A claim is the lease" in ending["outputs"]
