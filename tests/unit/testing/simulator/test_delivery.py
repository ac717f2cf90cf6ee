"""What a push subscription sees of a stage: acks, nacks, silence, and processes that die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Message,
    RetryPolicy,
    Subscription,
    Topic,
)
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.errors import StoreUnavailableError
from shared.testing.pipeline import World
from shared.testing.simulator.delivery import Dispatcher, Pool
from shared.testing.simulator.engine import Platform
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.instance import CURRENT, Instance, Killed
from shared.testing.simulator.virtual_loop import VirtualLoop, run
from shared.testing.simulator.weather import PushOdds
from tests.functional.system import library, read_stages

Make = Callable[..., Fate]
Does = Callable[[int], Any]
WORK = "projects/p/subscriptions/work"
DEAD = "projects/p/subscriptions/dead"


@dataclass
class Scene:
    """One subscription, one stage; `got` are (virtual seconds, attempt) of its deliveries."""

    fate: Fate
    does: Does
    size: int = 1
    got: list[tuple[float, int | None]] = field(default_factory=list)
    dead: int = 0

    def play(self) -> list[tuple[float, int | None]]:
        run(self._play)
        return self.got

    async def _play(self, loop: VirtualLoop) -> None:
        broker = Broker(loop.micros, Random(0))
        for name in ("work", "dead"):
            broker.create_topic(Topic(f"projects/p/topics/{name}"))
        retry = RetryPolicy(SECOND, 8 * SECOND)
        policy = DeadLetterPolicy("projects/p/topics/dead", 5)
        broker.create_subscription(
            Subscription(
                WORK,
                "projects/p/topics/work",
                300 * SECOND,
                retry=retry,
                dead_letter=policy,
                expires_after=None,
            )
        )
        broker.create_subscription(Subscription(DEAD, "projects/p/topics/dead", expires_after=None))

        async def handle(received: Received, _deps: Deps) -> Handled:
            self.got.append((loop.time(), received.delivery.attempt))
            await asyncio.sleep(0)
            done = self.does(len(self.got))
            if done is not None:
                await done
            return Handled("done")

        stage = read_stages().stages["act"]
        deps = World(library()).deps(stage, lambda: "token")
        dispatcher = Dispatcher(loop, Platform({}, {"act": handle}, None), broker, {WORK: "act"})
        dispatcher.open({"act": Pool("act", self.size, 80, lambda _: deps, self.fate)}, self.fate)
        broker.publish("projects/p/topics/work", [Message("", b"x", {}, 0)])
        await asyncio.sleep(3600)
        assert not dispatcher.busy
        self.dead = len(broker.pull(DEAD, 10))


@pytest.fixture
def calm(fate: Make) -> Fate:
    return fate(latency=0.0)


async def refuse() -> None:
    raise StoreUnavailableError("no")


async def die() -> None:
    work = CURRENT.get()
    assert work is not None
    work.instance.kill()
    raise Killed


def test_what_is_acknowledged_is_delivered_once(calm: Fate) -> None:
    assert Scene(calm, lambda _: None).play() == [(0, 1)]


def test_a_nack_comes_again_with_the_next_attempt_after_the_back_off(calm: Fate) -> None:
    got = Scene(calm, lambda n: refuse() if n < 4 else None).play()
    assert [(round(at), attempt) for at, attempt in got] == [(0, 1), (1, 2), (3, 3), (7, 4)]


def test_what_is_never_acknowledged_becomes_a_dead_letter(calm: Fate) -> None:
    scene = Scene(calm, lambda _: refuse())
    assert len(scene.play()) == 5
    assert scene.dead == 1


def test_a_process_that_died_is_replaced_and_its_message_comes_again(calm: Fate) -> None:
    got = Scene(calm, lambda n: die() if n < 3 else None).play()
    assert [attempt for _, attempt in got] == [1, 2, 3]


def test_all_that_a_process_was_doing_dies_with_it(fate: Make) -> None:
    """Two deliveries of one message; the second ends the process of both."""
    foul = fate(latency=0.0, push=PushOdds(duplicate=1.0), most=1)
    got = Scene(foul, lambda n: asyncio.sleep(10) if n == 1 else die() if n == 2 else None).play()
    assert [attempt for _, attempt in got] == [1, 1, 2]


def test_an_answer_that_nobody_hears_ends_with_the_lease(fate: Make) -> None:
    got = Scene(fate(latency=0.0, push=PushOdds(unheard=1.0), most=1), lambda _: None).play()
    assert [(round(at), attempt) for at, attempt in got] == [(0, 1), (301, 2)]


def test_a_connection_that_breaks_is_a_nack_while_the_work_goes_on(fate: Make) -> None:
    foul = fate(latency=0.0, push=PushOdds(cut=1.0), most=1)
    got = Scene(foul, lambda n: asyncio.sleep(100) if n == 1 else None).play()
    assert [attempt for _, attempt in got] == [1, 2]
    assert got[1][0] < 3


def test_the_platform_cuts_a_request_that_takes_too_long(calm: Fate) -> None:
    got = Scene(calm, lambda n: asyncio.sleep(1000) if n == 1 else None).play()
    assert [(round(at), attempt) for at, attempt in got] == [(0, 1), (296, 2)]


def test_a_broker_that_does_not_count_says_no_attempt(fate: Make) -> None:
    got = Scene(fate(latency=0.0, counts_attempts=False), lambda n: refuse() if n < 2 else None)
    assert [attempt for _, attempt in got.play()] == [None, None]


def test_an_instance_takes_no_more_than_its_limit_and_none_once_retired(calm: Fate) -> None:
    made: list[Instance] = []

    def build(instance: Instance) -> Any:
        made.append(instance)

    pool = Pool("act", 2, 1, build, calm)
    for _ in range(2):
        found = pool.take()
        assert found is not None
        found[0].tasks[object()] = None  # type: ignore[index, assignment]
    assert pool.take() is None
    pool.retire()
    found = pool.take()
    assert found is not None
    assert found[0] not in made[:2]
    assert [one.retired for one in made] == [True, True, False, False]
