"""The suite has teeth: with a part of the protocol taken out, a seed breaks a guarantee."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from shared.delivery import letters, progress, steps
from shared.delivery.claim import Claim, Finished
from shared.delivery.handled import Handled
from shared.delivery.outcome import Outcome
from shared.delivery.progress import arrivals_in
from shared.domain import chain
from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord
from shared.ports import Increment, Put
from tests.chaos.cases import CASES
from tests.chaos.harness import calm, violations_of

claiming = sys.modules["shared.delivery.claim"]
SEEDS = 300
Step = steps._Step
Patch = pytest.MonkeyPatch


def every_delivery_claims(patch: Patch) -> None:
    """No lease, no owner: whoever finds an unfinished step takes it."""

    def judge(_deps: Any, found: Any, _delivery: Any, _owner: str) -> Finished | None:
        record = StepRecord.of(found.data)
        return Finished(record) if record.status.is_final else None

    patch.setattr(claiming, "_judge", judge)


def every_delivery_claims_even_what_is_done(patch: Patch) -> None:
    patch.setattr(claiming, "_judge", lambda *_: None)


def messages_go_out_before_the_commit(patch: Patch) -> None:
    original = Step._succeed

    async def succeed(self: Any, held: Claim, outcome: Outcome, variables: dict) -> Handled:
        known = {**variables, self._envelope.step: outcome.output}
        flow = self._scope.version.flow
        plan = chain.advance(flow, self._envelope.step, StepStatus.SUCCEEDED, known)
        await self._progress._send(plan, known)
        return await original(self, held, outcome, variables)

    patch.setattr(Step, "_succeed", succeed)


def the_commit_has_no_fence(patch: Patch) -> None:
    original = Step._result

    def result(self: Any, held: Claim, status: StepStatus, outcome: Outcome) -> Put:
        fenced = original(self, held, status, outcome)
        return Put(fenced.path, {**held.record.document(), **fenced.data})

    patch.setattr(Step, "_result", result)


def joins_are_counted_outside_the_steps_commit(patch: Patch) -> None:
    async def succeed(self: Any, held: Claim, outcome: Outcome, variables: dict) -> Handled:
        known = {**variables, self._envelope.step: outcome.output}
        flow = self._scope.version.flow
        plan = chain.advance(flow, self._envelope.step, StepStatus.SUCCEEDED, known)
        result = [self._result(held, StepStatus.SUCCEEDED, outcome)]
        written = await self._commit(held, result, self._ending(plan, known))
        if isinstance(written, StepRecord):
            return await self.resume(written)
        arrived = await self._deps.store.commit(self._progress.writes(plan))
        await self._progress.follow(plan, arrivals_in(plan, arrived), known)
        return Handled("succeeded")

    patch.setattr(Step, "_succeed", succeed)


def a_finished_step_sends_nothing_again(patch: Patch) -> None:
    async def resume(_self: Any, _record: StepRecord) -> Handled:
        return Handled("repeated")

    patch.setattr(Step, "resume", resume)


def the_end_of_a_run_has_no_precondition(patch: Patch) -> None:
    original = progress.end_of_run

    def end_of_run(deps: Any, run_id: str, revision: str, **fields: Any) -> Increment:
        fenced = original(deps, run_id, revision, **fields)
        return Increment(fenced.path, {}, fenced.data)  # sets the fields, whatever is there

    for module in (progress, steps, letters):
        patch.setattr(module, "end_of_run", end_of_run)


MUTATIONS = [
    every_delivery_claims,
    every_delivery_claims_even_what_is_done,
    messages_go_out_before_the_commit,
    the_commit_has_no_fence,
    joins_are_counted_outside_the_steps_commit,
    a_finished_step_sends_nothing_again,
    the_end_of_a_run_has_no_precondition,
]


def seeds_for(mutate: Callable[[Patch], None]) -> range:
    """All cases in turn; a fault that only a race with `sweep` shows, where there is one."""
    if mutate is not the_end_of_a_run_has_no_precondition:
        return range(SEEDS)
    [hurried] = [number for number, case in enumerate(CASES) if case.hurried]
    return range(hurried, SEEDS * len(CASES), len(CASES))


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
async def test_a_protocol_without_this_part_is_found_out(
    mutate: Callable[[Patch], None], monkeypatch: Patch
):
    for case in CASES:
        await calm(case)
    mutate(monkeypatch)
    for seed in seeds_for(mutate):
        if await violations_of(seed):
            return
    pytest.fail(f"{SEEDS} seeds did not notice that {mutate.__name__.replace('_', ' ')}")
