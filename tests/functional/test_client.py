"""`shared.client`: what it starts and what that comes to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from shared.client import (
    EventRefusedError,
    FlowUnknownError,
    NotStartedError,
    Segue,
)
from shared.client.starting import source_of
from shared.domain import ids
from shared.domain.records import EventRecord, RunRecord, RunStatus
from shared.domain.starts.by_name import START
from shared.domain.starts.schedules import DUE
from shared.prompting.library import NO_LIBRARY
from tests.functional import calls
from tests.functional.client import (
    CHAIN,
    ENDED,
    TOPIC,
    finished,
    played,
)
from tests.functional.system import EVENT, System, flow


def test_a_result_is_the_runs_outputs_and_its_id_is_known_before_it_is_opened():
    system = System([CHAIN])

    async def story(segue: Segue) -> dict[str, Any]:
        run = await segue.start("thing", TOPIC, id="order-7", correlation_id="story-1")
        assert system.run_ids() == []
        assert await run.status() is None
        result = await finished(system, run.result(timeout=60))
        assert system.run_ids() == [run.run_id]
        assert await run.status() is RunStatus.SUCCEEDED
        assert await segue.run(run.run_id).result() == result
        return result

    assert played(system, story) == ENDED
    [event] = system.stored("events", EventRecord)
    assert (event.type, event.correlation_id, event.event["id"]) == (EVENT, "story-1", "order-7")


def test_a_start_starts_its_flow_and_no_other_that_takes_the_event():
    other = flow("a: {call: test.count, with: {name: other}}", name="other")
    system = System([CHAIN, other])

    async def story(segue: Segue) -> None:
        await finished(system, (await segue.start("thing", TOPIC)).result(timeout=60))

    played(system, story)
    assert [run.flow for run in system.stored("runs", RunRecord)] == ["thing"]


def test_the_same_id_is_the_same_run_with_the_data_it_began_with():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        first = await segue.start("thing", TOPIC, id="1")
        assert await finished(system, first.result(timeout=60)) == ENDED
        again = await segue.start("thing", {"topic": "dogs"}, id="1")
        assert again.run_id == first.run_id
        assert await finished(system, again.result(timeout=60)) == ENDED

    played(system, story)
    assert calls.SEEN["b"] == 1


def test_the_same_id_for_two_flows_is_two_events_each_with_its_own_data():
    other = flow(
        "a: {prompt: say, with: {text: '{{ event.data.topic }}'}}",
        name="other",
        more='outputs: {said: "{{ a.text }}"}',
    )
    system = System([CHAIN, other])

    async def story(segue: Segue) -> list[dict[str, Any]]:
        runs = [
            await segue.start("thing", TOPIC, id="1"),
            await segue.start("other", {"topic": "dogs"}, id="1"),
        ]
        return await finished(system, asyncio.gather(*(run.result(timeout=60) for run in runs)))

    assert played(system, story) == [ENDED, {"said": "a(dogs)"}]
    sources = {event.source for event in system.stored("events", EventRecord)}
    assert sources == {source_of("thing"), source_of("other")}


def test_a_scheduled_flow_starts_with_its_tick_and_the_data_of_its_schedule():
    on = "on: {schedule: {cron: '0 3 * * *', data: {report: daily}}}"
    steps = "a: {prompt: say, with: {text: '{{ event.type }} {{ event.data.report }}'}}"
    version = flow(steps, more=f'{on}\noutputs: {{said: "{{{{ a.text }}}}"}}')
    system = System([version])

    async def story(segue: Segue) -> list[dict[str, Any]]:
        runs = [await segue.start("thing"), await segue.start("thing", {"report": "weekly"})]
        return await finished(system, asyncio.gather(*(run.result(timeout=60) for run in runs)))

    assert played(system, story) == [{"said": f"a({DUE} {when})"} for when in ("daily", "weekly")]


@pytest.mark.parametrize("on", ["{event: 'x.*', where: 'false'}", "call"])
def test_a_flow_without_one_type_of_its_own_is_started_by_its_name(on: str):
    step = "a: {prompt: say, with: {text: '{{ event.type }}'}}"
    other = flow(step, name="other", more=f"on: {on}")
    system = System([flow(step, more=f"on: {on}"), other])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", id="1")
        await finished(system, run.result(timeout=60))
        again = await segue.start("thing", id="1")
        assert again.run_id == run.run_id
        await finished(system, again.result(timeout=60))

    played(system, story)
    assert system.asked() == [f"a: {START}"]


def test_a_flow_that_takes_many_types_may_be_started_by_one_of_them():
    many = flow("a: {prompt: say, with: {text: '{{ event.type }}'}}", more="on: {event: 'x.*'}")
    system = System([many])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", event_type="x.y")
        await finished(system, run.result(timeout=60))

    played(system, story)
    assert system.asked() == ["a: x.y"]


def test_a_flow_that_no_client_knows_is_started_where_it_is_deployed():
    system = System([CHAIN])

    async def story(segue: Segue) -> dict[str, Any]:
        with pytest.raises(FlowUnknownError, match="flows list"):
            await segue.start("no flow's name")
        assert system.world.messages.published == []
        nobody = await segue.start("unknown")
        with pytest.raises(NotStartedError):
            await finished(system, nobody.result(timeout=60))
        known = system.world.library
        system.world.library = NO_LIBRARY
        run = await segue.start("thing", TOPIC)
        system.world.library = known
        return await finished(system, run.result(timeout=60))

    assert played(system, story) == ENDED


def test_an_event_tells_the_runs_of_all_flows_that_take_it():
    other = flow("a: {call: test.echo}", name="other")
    system = System([CHAIN, other])

    async def story(segue: Segue) -> set[str]:
        event = await segue.publish(EVENT, TOPIC, source="//shop", id="1")
        assert event.correlation_id == ids.correlation_id(ids.event_key("//shop", "1"))
        runs = await finished(system, event.runs(timeout=60))
        for run in runs:
            await run.result(timeout=60)
        nobody = await segue.publish("nobody.cares")
        assert await finished(system, nobody.runs(timeout=60)) == []
        return {run.run_id for run in runs}

    assert played(system, story) == set(system.run_ids())
    assert len(system.run_ids()) == 2


@dataclass
class Topic:
    """Data of an event as a class."""

    topic: str


def test_data_may_be_an_object_and_what_no_event_can_hold_is_not_sent():
    system = System([CHAIN])

    async def story(segue: Segue) -> dict[str, Any]:
        for wrong in (float("nan"), object(), "x" * 1_000_000):
            with pytest.raises(EventRefusedError):
                await segue.start("thing", {"topic": wrong})
        assert system.world.messages.published == []
        run = await segue.start("thing", Topic("cats"))
        return await finished(system, run.result(timeout=60))

    assert played(system, story) == ENDED
