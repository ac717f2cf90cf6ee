"""Claims: one delivery at a time works on a step, and a dead one is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.delivery.claim import LEASE_MARGIN, Claim, Finished, claim, close_attempt, release
from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.envelope import Delivery, Envelope
from shared.domain.records import StepRecord, Usage, step_path
from shared.errors import ClaimBusyError, EffectUnavailableError, StoreUnavailableError
from shared.ports import Update, Write, Written
from shared.testing.memory import ManualClock, MemoryStore
from shared.testing.pipeline import World

PATH = step_path("run-1", "first")
Deliver = Callable[..., Delivery]


class LosesAnswers(MemoryStore):
    """Commits, then loses the answer to the first write and sees it sent again."""

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        first = not self.commits
        written = await super().commit(writes)
        return await super().commit(writes) if first else written


async def held(deps: Deps, envelope: Envelope, delivery: Delivery) -> Claim:
    found = await claim(deps, envelope, delivery)
    assert isinstance(found, Claim)
    return found


async def put(deps: Deps, **changes: Any) -> None:
    """Changes the step's record, as another delivery would."""
    found = await deps.store.get(PATH)
    assert found is not None
    await deps.store.commit([Update(PATH, StepRecord.fields_of(changes), found.revision)])


async def test_a_first_claim_costs_one_write_and_no_read(
    deps: Deps, world: World, envelope: Envelope, delivered: Deliver
) -> None:
    found = await held(deps, envelope, delivered())
    assert found.record.owner == "token-1"
    assert found.record.fence == 1
    assert [attempt.outcome for attempt in found.record.attempts] == ["running"]
    assert (sum(world.documents.writes.values()), sum(world.documents.reads.values())) == (1, 0)


async def test_a_lease_outlives_the_stages_budget(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    lease = (await held(deps, envelope, delivered())).record.lease_until
    assert lease is not None
    assert (lease - deps.clock.now()).total_seconds() == deps.stage.budget + 5
    assert LEASE_MARGIN.total_seconds() == 5


async def test_a_claim_whose_answer_was_lost_is_still_ours(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    store = LosesAnswers()
    found = await held(replace(deps, store=store), envelope, delivered())
    assert (found.record.owner, found.record.fence) == ("token-1", 1)
    assert found.revision == store.documents[PATH].revision


@pytest.mark.parametrize("status", [status for status in StepStatus if status.is_final])
async def test_a_finished_step_is_not_claimed(
    deps: Deps, envelope: Envelope, delivered: Deliver, status: StepStatus
) -> None:
    await held(deps, envelope, delivered())
    await put(deps, status=status)
    found = await claim(deps, envelope, delivered(attempt=2))
    assert isinstance(found, Finished)
    assert found.record.status is status


@pytest.mark.parametrize(
    "second",
    [
        {"message_id": "m-2", "attempt": 5},
        {"attempt": 1},
        {"attempt": None},
    ],
    ids=["another message", "the same delivery", "not counted"],
)
async def test_a_live_lease_is_respected(
    deps: Deps, envelope: Envelope, delivered: Deliver, second: dict[str, Any]
) -> None:
    await held(deps, envelope, delivered())
    with pytest.raises(ClaimBusyError):
        await claim(deps, envelope, delivered(**second))


async def test_a_lease_without_a_count_is_respected(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    await held(deps, envelope, delivered(attempt=None))
    with pytest.raises(ClaimBusyError):
        await claim(deps, envelope, delivered(attempt=2))


async def test_a_higher_attempt_of_the_same_message_takes_over_at_once(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    before = await held(deps, envelope, delivered(attempt=1))
    after = await held(deps, envelope, delivered(attempt=2))
    assert (after.record.owner, after.record.fence) == ("token-2", before.record.fence + 1)
    assert [attempt.outcome for attempt in after.record.attempts] == ["lost", "running"]
    assert after.record.attempts[0].finished_at == deps.clock.now()
    assert after.revision != before.revision


async def test_an_expired_lease_is_taken_over(
    deps: Deps, envelope: Envelope, delivered: Deliver, world: World
) -> None:
    await held(deps, envelope, delivered())
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(deps.stage.budget + 5)
    after = await held(deps, envelope, delivered(message_id="m-2"))
    assert after.record.fence == 2


async def test_a_released_step_is_taken_at_once(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    first = await held(deps, envelope, delivered())
    await release(deps, first, EffectUnavailableError("later"), Usage(llm_calls=1))
    after = await held(deps, envelope, delivered(message_id="m-2", attempt=1))
    assert [attempt.outcome for attempt in after.record.attempts] == ["released", "running"]
    assert after.record.attempts[0].error is not None
    assert after.record.attempts[0].error.code == "EffectUnavailable"
    assert after.record.usage.llm_calls == 1
    assert after.record.started_at == first.record.started_at


async def test_releasing_a_lost_claim_changes_nothing(
    deps: Deps, world: World, envelope: Envelope, delivered: Deliver
) -> None:
    lost = await held(deps, envelope, delivered(attempt=1))
    await held(deps, envelope, delivered(attempt=2))
    before = world.documents.documents[PATH]
    await release(deps, lost, EffectUnavailableError("later"), Usage())
    assert world.documents.documents[PATH] == before


class Contended(MemoryStore):
    """Somebody else writes the document whenever it has been read."""

    contended = True

    async def get(self, path: str) -> Any:
        found = await super().get(path)
        if found is not None and self.contended:
            await super().commit([Update(path, {"fence": found.data["fence"] + 1}, found.revision)])
        return found


async def test_a_race_that_is_always_lost_gives_way(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    contended = replace(deps, store=Contended())
    await held(contended, envelope, delivered(attempt=1))
    with pytest.raises(ClaimBusyError):
        await claim(contended, envelope, delivered(attempt=2))


async def test_a_store_that_is_down_is_told(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    class Down(MemoryStore):
        async def commit(self, writes: Sequence[Write]) -> list[Written]:
            raise StoreUnavailableError("down")

    with pytest.raises(StoreUnavailableError):
        await claim(replace(deps, store=Down()), envelope, delivered())


async def test_closing_a_closed_attempt_changes_nothing(
    deps: Deps, envelope: Envelope, delivered: Deliver
) -> None:
    found = await held(deps, envelope, delivered())
    closed = close_attempt(found, "succeeded", None, Usage(llm_calls=1), deps)
    again = replace(found, record=found.record.model_copy(update={"attempts": closed}))
    assert close_attempt(again, "failed", None, Usage(), deps) == closed
    assert [attempt.outcome for attempt in closed] == ["succeeded"]
