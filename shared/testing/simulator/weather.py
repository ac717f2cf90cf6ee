"""What a seed means: how often each misfortune strikes, from a fair day to a foul one.

Pure data and one draw; what a misfortune does is decided where it strikes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Service = Literal["store", "bus", "model", "effects"]


@dataclass(frozen=True)
class Odds:
    """Of a call to one kind of service, as probabilities.

    refused: nothing happened. aborted: the same, said by the service in the middle of it.
    lost: it happened and the answer was lost. repeated: the client sent it twice.
    """

    refused: float = 0.0
    aborted: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0


@dataclass(frozen=True)
class ModelOdds:
    """Of a model call. Slow ones outlast the stage; nonsense breaks the schema asked for."""

    slow: float = 0.0
    nonsense: float = 0.0
    refusal: float = 0.0


@dataclass(frozen=True)
class PushOdds:
    """Of one delivery to a stage.

    duplicate: it is made twice. late: it takes long to arrive. cut: the connection breaks while the
    stage works on, and the broker takes that for a nack. unheard: the answer never arrives.
    """

    duplicate: float = 0.0
    late: float = 0.0
    cut: float = 0.0
    unheard: float = 0.0


@dataclass(frozen=True)
class Outage:
    """A service refuses everything from `start` on, for `length`, both in seconds."""

    service: Service
    start: float
    length: float


@dataclass(frozen=True)
class Weather:
    """Of one simulation. The first `spared` misfortunes come to nothing, so that others strike
    late; after `most` misfortunes the sky clears, so that everything can finish.

    death: of a process, at each of its awaits. stall: of a process that then goes on as if no
    time had passed. rejection: an outside service refuses an action for good. `latency` is in
    seconds, of a usual call. `skew` is how far, in seconds, the clocks of instances are apart.
    """

    most: int = 0
    spared: int = 0
    store: Odds = field(default_factory=Odds)
    bus: Odds = field(default_factory=Odds)
    model: Odds = field(default_factory=Odds)
    effects: Odds = field(default_factory=Odds)
    answers: ModelOdds = field(default_factory=ModelOdds)
    push: PushOdds = field(default_factory=PushOdds)
    outage: Outage | None = None
    death: float = 0.0
    stall: float = 0.0
    rejection: float = 0.0
    latency: float = 0.01
    skew: float = 0.0
    instances: int = 1
    events: int = 1
    publications: int = 1
    garbage: bool = False
    deploys: bool = False
    counts_attempts: bool = True
    sweep_every: float = 60.0
    cancels: bool = False
    pauses: bool = False


CALM = Weather()
_SERVICES: tuple[Service, ...] = ("store", "bus", "model", "effects")


def weather_of(seed: int) -> Weather:
    """The weather of a seed, the same on every machine.

    Most kinds of misfortune are left out of most seeds: they would use up each other's chances
    (swarm testing, Groce et al. 2012).
    """
    random = Random(f"weather {seed}")
    foul = random.choice((0.0, 0.0, 0.05, 0.2))
    return Weather(
        most=random.randint(0, 16),
        spared=random.choice((0, 0, 2, 5, 15)),
        store=_odds(random, foul),
        bus=_odds(random, foul),
        model=_odds(random, random.choice((0.0, foul))),
        effects=_odds(random, random.choice((0.0, foul))),
        answers=ModelOdds(
            slow=random.choice((0.0, 0.0, 0.3)),
            nonsense=random.choice((0.0, 0.0, 0.3)),
            refusal=random.choice((0.0, 0.0, 0.0, 0.2)),
        ),
        push=PushOdds(
            duplicate=random.choice((0.0, 0.1, 0.3)),
            late=random.choice((0.0, 0.0, 0.2)),
            cut=random.choice((0.0, 0.0, 0.3)),
            unheard=random.choice((0.0, 0.0, 0.1)),
        ),
        outage=_outage(random),
        death=random.choice((0.0, 0.0, 0.02, 0.05)),
        stall=random.choice((0.0, 0.0, 0.05)),
        rejection=random.choice((0.0, 0.0, 0.0, 0.5)),
        latency=random.choice((0.0, 0.01, 0.3)),
        skew=random.choice((0.0, 2.0)),
        instances=random.randint(1, 3),
        events=random.choice((1, 1, 2)),
        publications=random.choice((1, 1, 2, 3)),
        garbage=random.random() < 0.2,
        deploys=random.random() < 0.2,
        counts_attempts=random.random() < 0.75,
        sweep_every=random.uniform(5, 60),
        cancels=random.random() < 1 / 10,
        pauses=random.random() < 1 / 8,
    )


def _outage(random: Random) -> Outage | None:
    """In one seed of eight: a short one, or one that outlasts all attempts at a message."""
    if random.random() >= 1 / 8:
        return None
    service = random.choice(_SERVICES)
    return Outage(service, random.uniform(0, 2), random.choice((60.0, 2400.0)))


def _odds(random: Random, foul: float) -> Odds:
    return Odds(
        refused=foul * random.random(),
        aborted=foul / 4,
        lost=foul * random.random(),
        repeated=foul / 4,
    )
