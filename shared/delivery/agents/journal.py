"""What is recorded of an agent: its turns in order, each with the calls that it asked for.

Reads only. What follows from it is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.domain.agents.notes import TurnTaken
from shared.domain.chain import StepStatus
from shared.domain.instances import Instance, Part, instance_of
from shared.domain.records import StepRecord, run_path
from shared.ports import Document, Query, Store


@dataclass(frozen=True)
class Turn:
    """A turn of the model. `found` is None where nothing is recorded of it yet, nor of a call."""

    instance: Instance
    found: Document | None = None
    calls: tuple[Document | None, ...] = ()

    @property
    def record(self) -> StepRecord | None:
        return None if self.found is None else StepRecord.of(self.found.data)

    @property
    def taken(self) -> TurnTaken | None:
        """What it came to; None until it has succeeded."""
        record = self.record
        has_ended = record is not None and record.status is StepStatus.SUCCEEDED
        return (
            record.agent if record and has_ended and isinstance(record.agent, TurnTaken) else None
        )

    @property
    def called(self) -> tuple[StepRecord | None, ...]:
        """The records of its calls."""
        return tuple(None if one is None else StepRecord.of(one.data) for one in self.calls)

    @property
    def is_answered(self) -> bool:
        """Whether it asks for calls and all of them have succeeded: then another turn follows."""
        called = self.called
        return bool(called) and all(
            one is not None and one.status is StepStatus.SUCCEEDED for one in called
        )

    @property
    def following(self) -> Instance:
        """The turn after it."""
        return turn_of(self.instance.step, number(self.instance) + 1)


def number(of: Instance) -> int:
    """Which turn an instance is, or is a call of."""
    assert of.part is not None
    return of.part.turn


def turn_of(step: str, turn: int) -> Instance:
    return Instance(step, part=Part(turn))


def calls_of(turn: Instance, taken: TurnTaken | None) -> list[Instance]:
    """The calls that a turn asks for, by name."""
    size = 0 if taken is None else len(taken.calls)
    return [Instance(turn.step, part=Part(number(turn), at)) for at in range(size)]


async def read_turns(run_id: str, step: str, store: Store) -> list[Turn]:
    """All turns, in order; the last one may not have begun, nor some of its calls."""
    steps = f"{run_path(run_id)}/steps"
    found = await store.find(Query(steps, (("item_of", "==", step),)))
    return list(_turns(step, {one.name: one for one in found}))


def _turns(step: str, found: dict[str, Document]) -> Iterator[Turn]:
    turn = Turn(turn_of(step, 1), found.get(str(turn_of(step, 1))))
    while True:
        names = [str(one) for one in calls_of(turn.instance, turn.taken)]
        turn = Turn(turn.instance, turn.found, tuple(found.get(name) for name in names))
        yield turn
        following = turn.following
        if not turn.is_answered and str(following) not in found:
            return
        turn = Turn(following, found.get(str(following)))


def under_way(turns: Sequence[Turn]) -> list[Instance]:
    """The turn and the calls that have been sent, or may have been, and have not succeeded."""
    last = turns[-1]
    if last.taken is None:
        return [last.instance]
    called = zip(calls_of(last.instance, last.taken), last.called, strict=True)
    return [one for one, record in called if not has_succeeded(record)]


def has_succeeded(record: StepRecord | None) -> bool:
    return record is not None and record.status is StepStatus.SUCCEEDED


def documents(turns: Iterable[Turn]) -> Iterator[Document]:
    """All that is recorded."""
    for turn in turns:
        yield from (one for one in (turn.found, *turn.calls) if one is not None)


def names_in(found: Iterable[Document]) -> dict[str, Instance]:
    return {one.name: instance_of(one.name) for one in found}
