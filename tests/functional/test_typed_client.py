"""A typed flow from a client: started by its class, awaited as its StopEvent, followed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.client import Change, EventRefusedError, Run, RunFailedError, Segue
from shared.delivery.crashpoints import Point
from shared.domain.run_notes import ProgressRecord, progress_of
from shared.errors import StoreUnavailableError
from shared.typed import Context, Flow, ProgressEvent, StartEvent, StopEvent, step
from shared.typed.context import MOST_EMITTED
from shared.typed.results import NoStopEventError
from tests.functional.client import deliver, finished, played, told
from tests.functional.system import System
from tests.functional.typed_flows import (
    BROKEN,
    Answer,
    Choosing,
    Looked,
    NoAnswer,
    Question,
    Sorted,
    Sorting,
    Texts,
    typed,
)

TEXTS = Texts(texts=["a", "bb", "cccccc"])
LOOKS = [Looked(text="a", size=1), Looked(text="bb", size=2), Looked(text="cccccc", size=6)]


def looks(changes: list[Change]) -> list[Looked | None]:
    return [change.read(Looked) for change in changes if change.event is not None]


def test_a_flow_is_started_by_its_class_and_awaited_as_its_stop_event():
    system = System([typed(Sorting)])

    async def story(segue: Segue) -> Sorted:
        run = await segue.start(Sorting, TEXTS, id="s1")
        by_name = await segue.start("sorting", TEXTS, id="s1")
        assert by_name.run_id == run.run_id
        return await finished(system, segue.run(run.run_id).result_of(Sorting, timeout=60))

    found = played(system, story)
    assert isinstance(found, Sorted)
    assert found.texts == ["a", "bb", "ccc"]


@pytest.mark.parametrize(
    ("n", "stop"),
    [(0, NoAnswer(n=0)), (3, Answer(text="3 is odd and weighs 30"))],
)
def test_one_of_several_stop_events_is_the_one_that_was_given(n: int, stop: StopEvent):
    system = System([typed(Choosing)])

    async def story(segue: Segue) -> Answer | NoAnswer:
        run = await segue.start(Choosing, Question(n=n))
        return await finished(system, run.result_of(Choosing))

    assert played(system, story) == stop


def test_a_run_that_ends_without_a_stop_event_says_so():
    system = System([typed(Choosing)])

    async def story(segue: Segue) -> None:
        run = await segue.start(Choosing, Question(n=400))
        with pytest.raises(NoStopEventError, match="name no event"):
            await finished(system, run.result_of(Choosing))
        with pytest.raises(NoStopEventError, match="are no Sorted"):
            await run.result_of(Sorting)

    played(system, story)


def test_a_run_that_fails_raises_as_ever():
    BROKEN.add("choose")
    system = System([typed(Choosing)])

    async def story(segue: Segue) -> None:
        run = await segue.start(Choosing, Question(n=1))
        with pytest.raises(RunFailedError, match="choose is broken"):
            await finished(system, run.result_of(Choosing))

    played(system, story)


def test_another_event_than_its_own_does_not_start_a_flow():
    async def story(segue: Segue) -> None:
        given: Any = Question(n=1)
        with pytest.raises(EventRefusedError, match="Sorting is started with Texts, and this is"):
            await segue.start(Sorting, given)

    system = System([typed(Sorting)])
    played(system, story)
    assert system.topics("events") == 0


class Many(Flow[Texts, Sorted]):
    name = "many"
    on = "*.written"

    @step
    async def end(self, asked: Texts) -> Sorted:
        return Sorted(texts=asked.texts, seen=[], counts={})


def test_a_flow_that_takes_many_types_is_started_by_its_class_too():
    system = System([typed(Many)])

    async def story(segue: Segue) -> Sorted:
        return await finished(system, (await segue.start(Many, TEXTS)).result_of(Many))

    assert played(system, story).texts == TEXTS.texts


def test_progress_is_told_while_the_step_works_each_event_once():
    system = System([typed(Sorting)])

    async def story(segue: Segue) -> tuple[list[Change], list[Change]]:
        run = await segue.start(Sorting, TEXTS)
        live = await finished(system, told(run))
        return live, await told(run)

    live, later = played(system, story)
    assert looks(live) == looks(later) == LOOKS
    assert live[-1].is_end
    first = next(change for change in live if change.event is not None)
    assert (first.step, first.status.value, first.event) == ("split", "running", "Looked")
    assert first.data == {"text": "a", "size": 1}
    plain = [change for change in live if change.event is None]
    assert {(change.step, change.data) for change in plain} == {
        (step, None) for step in (None, "split", "keep", "cut", "gather")
    }
    assert all(change.read(Looked) is None for change in plain)


@pytest.mark.parametrize("point", ["worked", "committed"])
def test_an_attempt_that_is_repeated_replaces_what_the_first_has_told(point: Point):
    system = System([typed(Sorting)])

    async def story(segue: Segue) -> list[Change]:
        run = await segue.start(Sorting, TEXTS)
        await system.pipeline.step("route")
        await system.killed_at(point, "split")
        return await finished(system, told(run))

    assert looks(played(system, story)) == LOOKS


def test_a_flow_without_typed_steps_is_followed_without_looking_for_progress():
    from tests.functional.client import CHAIN, TOPIC  # noqa: PLC0415 - of this test alone

    system = System([CHAIN])

    async def story(segue: Segue) -> Run:
        run = await segue.start("thing", TOPIC)
        await finished(system, told(run))
        return run

    run = played(system, story)
    assert not [
        path for path in system.world.documents.reads if path.startswith(progress_of(run.run_id))
    ]


class Talk(StartEvent):
    times: int


class Said(ProgressEvent):
    n: int


class Silent(StopEvent):
    pass


class Talking(Flow[Talk, Silent]):
    name, on = "talking", "talk.asked"

    @step
    async def talk(self, talk: Talk, ctx: Context) -> Silent:  # type: ignore[type-arg]
        for n in range(talk.times):
            await ctx.emit(Said(n=n))
        return Silent()


def said(system: System) -> list[ProgressRecord]:
    [run_id] = system.run_ids()
    return system.stored(progress_of(run_id), ProgressRecord)


async def test_what_a_step_may_tell_is_bounded():
    system = System([typed(Talking)])
    await system.start({"times": MOST_EMITTED + 5}, Talking.on)
    assert (await system.report())["outputs"] == {}
    assert len(said(system)) == MOST_EMITTED
    warnings = [line for line in system.world.telemetry.lines if line[0] == "WARNING"]
    [(_, message, _)] = warnings
    assert message == f"step 'talk': progress after the first {MOST_EMITTED} events is dropped"


class Deaf:
    """A store that takes no progress."""

    def __init__(self, documents: Any) -> None:
        self._inner = documents

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, writes: Any) -> Any:
        if any("/progress/" in write.path for write in writes):
            raise StoreUnavailableError("away")
        return await self._inner.commit(writes)


async def test_progress_that_cannot_be_stored_fails_no_step():
    system = System([typed(Talking)], store=Deaf)
    await system.start({"times": 2}, Talking.on)
    assert (await system.report())["status"] == "succeeded"
    warnings = [line[1] for line in system.world.telemetry.lines if line[0] == "WARNING"]
    assert warnings == ["step 'talk': a progress event is dropped: StoreUnavailable"] * 2


def test_more_progress_than_fits_into_one_look_is_told_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.client.listening._AT_ONCE", 7)
    system = System([typed(Talking)])

    async def story(segue: Segue) -> list[Change]:
        run = await segue.start(Talking, Talk(times=30))
        _, changes = await asyncio.gather(deliver(system), told(run))
        return changes

    heard = [change.read(Said) for change in played(system, story) if change.event]
    assert [one.n for one in heard if one] == list(range(30))
