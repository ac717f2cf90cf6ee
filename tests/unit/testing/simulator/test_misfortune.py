"""A dead process has no effects, and every call is refused, unheard or repeated as drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.domain.actions import SlackPost
from shared.domain.envelope import Message, ModelRequest
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    BusUnavailableError,
    EffectUnavailableError,
    ModelRefusedError,
    ModelUnreachableError,
    StoreUnavailableError,
)
from shared.ports import Create, Query
from shared.testing.memory import MemoryBus, MemoryStore, RecordingEffects, ScriptedModel
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.instance import CURRENT, Instance, Killed, Work, stall
from shared.testing.simulator.misfortune import (
    NONSENSE,
    Line,
    LineBus,
    LineEffects,
    LineModel,
    LineStore,
)
from shared.testing.simulator.virtual_loop import VirtualLoop, run
from shared.testing.simulator.weather import ModelOdds, Odds

Make = Callable[..., Fate]
NEW = [Create("a/1", {})]
ASKED = ModelRequest(model="m", messages=(("user", "Hello"),))
SHAPED = ASKED.model_copy(update={"output_schema": {"type": "object"}})
POST = SlackPost(channel="C", text="t")


def line(fate: Fate) -> Line:
    return Line(Instance("act#1"), fate)


@pytest.mark.parametrize(
    ("kind", "stored"), [("refused", False), ("aborted", False), ("lost", True)]
)
def test_a_commit_is_refused_before_or_unheard_after(
    fate: Make, kind: str, *, stored: bool
) -> None:
    store = MemoryStore()

    async def main(_loop: VirtualLoop) -> None:
        with pytest.raises(StoreUnavailableError):
            await LineStore(line(fate(store=Odds(**{kind: 1.0}))), store).commit(NEW)

    run(main)
    assert bool(store.documents) is stored


def test_a_commit_sent_twice_meets_itself(fate: Make) -> None:
    async def main(_loop: VirtualLoop) -> None:
        with pytest.raises(AlreadyExistsError):
            await LineStore(line(fate(store=Odds(repeated=1.0))), MemoryStore()).commit(NEW)

    run(main)


def test_reads_fail_too(fate: Make) -> None:
    async def main(_loop: VirtualLoop) -> None:
        store = LineStore(line(fate(store=Odds(refused=1.0))), MemoryStore())
        for read in (store.get("a/1"), store.get_many(["a/1"]), store.find(Query("a"))):
            with pytest.raises(StoreUnavailableError):
                await read

    run(main)


def test_a_publish_sent_twice_is_two_messages(fate: Make) -> None:
    bus = MemoryBus()

    async def main(_loop: VirtualLoop) -> None:
        await LineBus(line(fate(bus=Odds(repeated=1.0))), bus).publish("act", [Message(b"1")])
        with pytest.raises(BusUnavailableError):
            await LineBus(line(fate(bus=Odds(lost=1.0))), bus).publish("act", [Message(b"2")])

    run(main)
    assert [message.data for _, message in bus.take("act")] == [b"1", b"1", b"2"]


def test_a_call_takes_the_time_of_its_weather(fate: Make) -> None:
    async def main(loop: VirtualLoop) -> float:
        await LineStore(line(fate(latency=2.0)), MemoryStore()).get("a/1")
        return loop.time()

    assert 0.2 <= run(main) <= 2.0


@pytest.mark.parametrize(("odds", "calls"), [("refused", 0), ("lost", 1)])
def test_a_model_is_asked_as_often_as_its_fault_says(fate: Make, odds: str, calls: int) -> None:
    model = ScriptedModel()

    async def main(_loop: VirtualLoop) -> None:
        faulty = LineModel(line(fate(model=Odds(**{odds: 1.0}))), model)
        with pytest.raises(ModelUnreachableError):
            await faulty.generate(ASKED, seconds=1)

    run(main)
    assert len(model.calls) == calls


def test_a_model_talks_nonsense_only_where_a_schema_will_notice(fate: Make) -> None:
    async def main(_loop: VirtualLoop) -> list[str]:
        mad = LineModel(line(fate(answers=ModelOdds(nonsense=1.0))), ScriptedModel())
        return [(await mad.generate(request, seconds=1)).text for request in (ASKED, SHAPED)]

    assert run(main) == ["An answer.", NONSENSE]


def test_a_model_refuses_and_is_slow(fate: Make) -> None:
    async def main(loop: VirtualLoop) -> float:
        no = LineModel(line(fate(answers=ModelOdds(refusal=1.0))), ScriptedModel())
        with pytest.raises(ModelRefusedError):
            await no.generate(ASKED, seconds=1)
        before = loop.time()
        slow = LineModel(line(fate(answers=ModelOdds(slow=1.0))), ScriptedModel())
        await slow.generate(ASKED, seconds=1000)
        return loop.time() - before

    assert run(main) >= 500


def test_effects_are_unavailable_or_rejected(fate: Make) -> None:
    effects = RecordingEffects()

    async def main(_loop: VirtualLoop) -> None:
        with pytest.raises(EffectUnavailableError):
            await LineEffects(line(fate(effects=Odds(lost=1.0))), effects).post_to_slack(POST, "k")
        with pytest.raises(ActionFailedError):
            await LineEffects(line(fate(rejection=1.0)), effects).post_to_slack(POST, "l")

    run(main)
    assert [key for key, _ in effects.performed] == ["k"]


@pytest.mark.parametrize(("spared", "stored"), [(0, False), (1, True)])
def test_a_process_dies_before_or_after_the_effect(
    fate: Make, spared: int, *, stored: bool
) -> None:
    """The first place to die is before it, the second after."""
    store, instance = MemoryStore(), Instance("act#1")

    async def main(_loop: VirtualLoop) -> None:
        port = LineStore(Line(instance, fate(death=1.0, spared=spared)), store)
        with pytest.raises(Killed):
            await port.commit(NEW)
        with pytest.raises(Killed):  # a process that has died can do nothing more
            await port.commit([Create("a/2", {})])

    run(main)
    assert (set(store.documents), instance.alive) == ({"a/1"} if stored else set(), False)


def test_all_work_of_a_process_ends_with_it_wherever_it_waits(fate: Make) -> None:
    store, instance = MemoryStore(), Instance("act#1")
    swallowed: list[str] = []

    async def stubborn(port: LineStore) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            swallowed.append("cancelled")
        await port.commit(NEW)  # its last words are not heard

    async def main(loop: VirtualLoop) -> BaseException | None:
        task = loop.create_task(stubborn(LineStore(Line(instance, fate()), store)))
        instance.tasks[task] = Work(instance, "segue-act", "1", b"", {}, None)
        await asyncio.sleep(1)
        instance.kill()
        await asyncio.wait([task])
        return task.exception()

    assert isinstance(run(main), Killed)
    assert (swallowed, store.documents) == (["cancelled"], {})


def test_a_stall_outlasts_every_timeout_and_ends_with_the_process() -> None:
    instance = Instance("act#1")

    async def main(loop: VirtualLoop) -> tuple[str, float]:
        async with asyncio.timeout(285):
            await stall(instance, 700)
            result = "as if no time had passed"
        dying = loop.create_task(stall(instance, 700))
        instance.tasks[dying] = Work(instance, "segue-act", "1", b"", {}, None)
        await asyncio.sleep(10)
        instance.kill()
        await asyncio.wait([dying])
        assert isinstance(dying.exception(), Killed)
        return result, loop.time()

    assert run(main) == ("as if no time had passed", 710)


def test_a_stall_excuses_one_more_model_call(fate: Make) -> None:
    work = Work(Instance("generate#1"), "segue-generate", "1", b"", {}, None)

    async def main(_loop: VirtualLoop) -> None:
        CURRENT.set(work)
        await LineStore(Line(work.instance, fate(stall=1.0)), MemoryStore()).get("a/1")

    run(main)
    assert work.excuses == 1
