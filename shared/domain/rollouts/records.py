"""How a rollout stands: the public layout of `rollouts/{name}` and what is counted below it.

A trial is one declaration with one version of each variant: what is measured of it is kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from shared.domain.ids import digest
from shared.domain.model import Json, Wire
from shared.domain.recording import Record
from shared.domain.rollouts.declared import Canary, Rollout, Split
from shared.domain.rollouts.sequential import Tally

ROLLOUTS = "rollouts"
MICRO = 1_000_000  # scores are counted in millionths: sums of integers are exact
_KEPT_MOVES, _KEPT_TRIALS = 50, 20


def rollout_path(name: str) -> str:
    return f"{ROLLOUTS}/{name}"


def tally_path(name: str, trial: str, variant: str, metric: str) -> str:
    return f"{rollout_path(name)}/tallies/{digest(trial, variant, metric, length=24)}"


def counted_path(name: str, run_id: str, metric: str) -> str:
    return f"{rollout_path(name)}/counted/{run_id}~{metric}"


class Standing(StrEnum):
    """How far a rollout is. `paused`: nobody new gets anything but the first variant."""

    RUNNING = "running"
    HELD = "held"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


class Move(Wire):
    """A change of how a rollout stands, by a person or by its own name, and why."""

    status: Standing
    at: datetime
    by: str
    why: str
    trial: str


class RolloutRecord(Record):
    """`rollouts/{name}`. `arms`: the version behind each variant in the present trial.

    `winner` is what all runs get once it is promoted. `past`: how other trials stood when they
    were left, so that instances that see a label move one after another do no harm.
    """

    JSON_FIELDS = frozenset({"declaration", "arms", "past", "history"})

    rollout: str
    declaration: Json
    trial: str
    arms: dict[str, str] = Field(default_factory=dict)
    status: Standing = Standing.RUNNING
    since: datetime
    winner: str | None = None
    past: dict[str, Standing] = Field(default_factory=dict)
    history: list[Move] = Field(default_factory=list)

    def document(self) -> dict[str, object]:
        plain = self.model_dump(mode="json", include={"past", "history"})
        return self.fields_of({**dict(self), **plain})

    @classmethod
    def first(cls, rollout: Rollout, arms: Mapping[str, str], now: datetime) -> Self:
        trial = trial_of(rollout, arms)
        began = Move(status=Standing.RUNNING, at=now, by=rollout.rollout, why="began", trial=trial)
        return cls(
            rollout=rollout.rollout,
            declaration=rollout.declaration(),
            trial=trial,
            arms=dict(arms),
            since=now,
            history=[began],
        )

    def declared(self) -> Rollout:
        return Rollout.model_validate(self.declaration)

    def moved(self, status: Standing, now: datetime, *, by: str, why: str) -> Self:
        """As it stands from now on."""
        move = Move(status=status, at=now, by=by, why=why, trial=self.trial)
        history = [*self.history, move][-_KEPT_MOVES:]
        return self.model_copy(update={"status": status, "since": now, "history": history})

    def in_trial(self, rollout: Rollout, arms: Mapping[str, str], now: datetime) -> Self:
        """The same where this is the present trial, or there is nothing to try; else the next."""
        trial = trial_of(rollout, arms)
        if trial == self.trial or is_moot(rollout, arms):
            return self
        past = {**self.past, self.trial: self.status}
        status = Standing.PAUSED if self.status is Standing.PAUSED else past.get(trial)
        told = f"a new trial: {', '.join(f'{name} {at}' for name, at in arms.items())}"
        fresh = {
            "declaration": rollout.declaration(),
            "trial": trial,
            "arms": dict(arms),
            "winner": self.winner if status is Standing.PROMOTED else None,
            "past": dict(list(past.items())[-_KEPT_TRIALS:]),
        }
        following = self.model_copy(update=fresh)
        return following.moved(status or Standing.RUNNING, now, by=self.rollout, why=told)


def trial_of(rollout: Rollout, arms: Mapping[str, str]) -> str:
    return digest(
        rollout.version, *(f"{name}={at}" for name, at in sorted(arms.items())), length=16
    )


def is_moot(rollout: Rollout, arms: Mapping[str, str]) -> bool:
    """Whether all variants are the same: the candidate was promoted, or there is none yet."""
    return rollout.of.kind == "prompt" and len(set(arms.values())) == 1


def weights(rollout: Rollout, record: RolloutRecord) -> Mapping[str, float]:
    """Percent by variant as it stands. Of one that adapts, only what it does not do then."""
    usual = rollout.variants[0]
    if record.status is Standing.PROMOTED:
        return {record.winner or usual: 100.0}
    if record.status in {Standing.PAUSED, Standing.ROLLED_BACK}:
        return {usual: 100.0}
    match rollout.way:
        case Split(variants=variants):
            return variants
        case Canary(candidate=candidate, share=share):
            return {usual: 100.0 - share, candidate: share}
        case _:
            return {usual: 100.0}


class TallyRecord(Record):
    """`rollouts/{name}/tallies/{id}`: runs of a variant in a trial, and the sum of their scores.

    Only ever incremented, each time with the record of the run that is counted.
    """

    trial: str = ""
    variant: str = ""
    metric: str = ""
    n: int = 0
    micro: int = 0

    @property
    def tally(self) -> Tally:
        return Tally(n=self.n, total=self.micro / MICRO)


class CountedRecord(Record):
    """`rollouts/{name}/counted/{run}~{metric}`: the run has been counted, with this value."""

    run_id: str
    trial: str
    variant: str
    metric: str
    value: float
    at: datetime
    expire_at: datetime
