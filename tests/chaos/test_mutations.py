"""The suite has teeth: with a part of the protocol taken out, a seed breaks a guarantee."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared.delivery import settling, stage, steps, telling
from shared.delivery.claim import Claim, Finished
from shared.delivery.commands import cancelling
from shared.delivery.handled import Handled
from shared.delivery.letters import keeping as letters
from shared.delivery.runs import ending, opening
from shared.domain import chain, ids
from shared.domain.chain import StepStatus
from shared.domain.records import DeadLetterRecord, StepRecord
from shared.domain.version import FlowVersion
from shared.ports import Increment, Put, Query
from shared.prompting.versions import FlowVersions
from tests.chaos.mutating import Mutation, Patch, of_any, of_case, require_found_out

redriving = sys.modules["shared.delivery.letters.redrive"]
claiming = sys.modules["shared.delivery.claim"]
Step = steps._Step


def every_delivery_claims(patch: Patch) -> None:
    """No lease, no owner: whoever finds an unfinished step takes it."""

    def judge(_deps: Any, found: Any, _delivery: Any, _owner: str) -> Finished | None:
        record = StepRecord.of(found.data)
        return Finished(record) if record.status.is_final else None

    patch.setattr(claiming, "_judge", judge)


def every_delivery_claims_even_what_is_done(patch: Patch) -> None:
    patch.setattr(claiming, "_judge", lambda *_: None)


def all_claims_have_the_same_owner(patch: Patch) -> None:
    original = claiming.claim

    async def claim(deps: Any, *about: Any) -> Claim | Finished:
        return await original(replace(deps, new_token=lambda: "somebody"), *about)

    patch.setattr(steps, "claim", claim)


def messages_go_out_before_the_commit(patch: Patch) -> None:
    original = settling.Settler.settle

    async def settle(
        self: Any, step: str, status: StepStatus, result: Any, *more: Any, **about: Any
    ) -> Any:
        plan = chain.advance(self._flow, step, status, more[0])
        await self.progress._send(plan, more[0])
        return await original(self, step, status, result, *more, **about)

    patch.setattr(settling.Settler, "settle", settle)


def the_commit_has_no_fence(patch: Patch) -> None:
    original = Step._result

    def result(self: Any, held: Claim, *about: Any) -> Put:
        fenced = original(self, held, *about)
        return Put(fenced.path, {**held.record.document(), **fenced.data})

    patch.setattr(Step, "_result", result)


def joins_are_counted_outside_the_steps_commit(patch: Patch) -> None:
    async def settle(
        self: Any, step: str, status: StepStatus, result: Any, *more: Any, **_: Any
    ) -> Any:
        known, standing, *_others = more
        plan = chain.advance(self._flow, step, status, known)
        end = partial(self.progress.end.write, known) if plan.ends else None
        written = await self._commit([result], end, standing)
        if isinstance(written, StepRecord):
            return written
        arrived = await self._deps.store.commit(self.progress.writes(plan))
        await self.progress.follow(plan, arrived, known)
        return None

    patch.setattr(settling.Settler, "settle", settle)


def a_join_fires_at_its_first_branch(patch: Patch) -> None:
    patch.setattr(chain, "is_decided", lambda *_: True)


def a_finished_step_sends_nothing_again(patch: Patch) -> None:
    async def resume(_self: Any, _record: StepRecord) -> Handled:
        return Handled("repeated")

    patch.setattr(Step, "resume", resume)


def an_opened_run_sends_nothing_again(patch: Patch) -> None:
    async def meet(_self: Any, _opening: Any, _plan: Any) -> None:
        return

    patch.setattr(opening.Opener, "_meet", meet)


def each_message_opens_a_run_of_its_own(patch: Patch) -> None:
    def run_id(self: Any) -> str:
        return f"{self.version.flow.flow}-{ids.digest(str(next(numbers)), length=16)}"

    numbers = iter(range(10**9))
    patch.setattr(opening.Opening, "run_id", property(run_id))


def the_end_of_a_run_has_no_precondition(patch: Patch) -> None:
    original = ending.end_of_run

    def end_of_run(deps: Any, run_id: str, revision: str, **fields: Any) -> Increment:
        fenced = original(deps, run_id, revision, **fields)
        return Increment(fenced.path, {}, fenced.data)  # sets the fields, whatever is there

    for module in (cancelling, ending, letters):
        patch.setattr(module, "end_of_run", end_of_run)


def a_deployment_takes_running_runs_along(patch: Patch) -> None:
    async def stores(self: FlowVersions, version: FlowVersion, **about: Any) -> None:
        deployed[version.flow.flow] = version
        await original(self, version, **about)

    async def pinned(_self: FlowVersions, flow: str, _version: str) -> FlowVersion:
        return deployed[flow]

    deployed: dict[str, FlowVersion] = {}
    original = FlowVersions.ensure_stored
    patch.setattr(FlowVersions, "ensure_stored", stores)
    patch.setattr(FlowVersions, "pinned", pinned)


def a_run_opens_before_its_version_is_stored(patch: Patch) -> None:
    open_them, store = opening.Opener.open_all, FlowVersions.ensure_stored

    async def later(_self: FlowVersions, _version: FlowVersion, **_: Any) -> None:
        return

    async def open_all(self: Any, openings: Any) -> None:
        await open_them(self, openings)
        for one in openings:
            await store(self._deps.flows, one.version)

    patch.setattr(FlowVersions, "ensure_stored", later)
    patch.setattr(opening.Opener, "open_all", open_all)


def a_letter_fails_nothing(patch: Patch) -> None:
    async def fail(*_: Any) -> None:
        return

    patch.setattr(letters, "_fail", fail)


def a_run_may_be_redriven_without_its_failed_steps(patch: Patch) -> None:
    original = redriving.send_frontier

    async def send(found: Any, version: Any, statuses: Any, deps: Any) -> Any:
        kept = {name: status for name, status in statuses.items() if status.is_final}
        return await original(found, version, kept, deps) if kept else ()

    patch.setattr(redriving, "send_frontier", send)


def an_event_is_acknowledged_before_it_is_stored(patch: Patch) -> None:
    original = opening.Opener.open_all

    async def open_all(self: Any, openings: Any) -> None:
        task = asyncio.create_task(original(self, openings))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    patch.setattr(opening.Opener, "open_all", open_all)


def a_step_is_taken_over_whoever_took_it_meanwhile(patch: Patch) -> None:
    def unfenced(path: str, data: Mapping[str, Any], _revision: str) -> Increment:
        return Increment(path, {}, data)

    patch.setattr(claiming, "Update", unfenced)


def a_lease_never_ends(patch: Patch) -> None:
    patch.setattr(claiming, "_lease", lambda _deps: timedelta(days=1))


def a_letter_has_no_bytes(patch: Patch) -> None:
    original = DeadLetterRecord.document

    def document(self: DeadLetterRecord) -> dict[str, Any]:
        return {**original(self), "data": None} if self.step else original(self)

    patch.setattr(DeadLetterRecord, "document", document)


def a_letter_is_not_stored_once_its_run_has_failed(patch: Patch) -> None:
    async def keep(letter: Any, deps: Any) -> None:
        if letter.record.step is None:
            await original(letter, deps)
        else:
            await letters._fail(letter.record, letter.record.run_id, letter.record.step, deps)

    original = letters.keep
    patch.setattr(sys.modules["functions.bury.handler"], "keep", keep)


def a_failed_step_sends_no_letter(patch: Patch) -> None:
    original = stage._bury

    async def bury(received: Any, deps: Any, failure: Any) -> Any:
        if "segue-step" in received.delivery.message.attributes:
            return stage._Verdict("bury", "failed", failure)
        return await original(received, deps, failure)

    patch.setattr(stage, "_bury", bury)


def the_same_letter_twice_is_two(patch: Patch) -> None:
    numbers = iter(range(10**9))
    patch.setattr(ids, "dead_letter_id", lambda *_: str(next(numbers)))


def a_redrive_closes_its_letters_before_the_run_goes_on(patch: Patch) -> None:
    original = redriving._continue_run

    async def go_on(run_id: str, deps: Any, *, repin: bool) -> Any:
        for letter in await redriving._open_letters(run_id, deps):
            await redriving._mark(letter, deps)
        return await original(run_id, deps, repin=repin)

    patch.setattr(redriving, "_continue_run", go_on)


def a_redrive_repeats_finished_steps(patch: Patch) -> None:
    original = redriving._reopen

    async def reopen(found: Any, run: Any, version: Any, done: Any, deps: Any) -> Any:
        for step in done:
            await deps.store.commit([Increment(step.path, {}, {"status": "failed"})])
        fresh = await deps.store.find(Query(f"{found.path}/steps"))
        return await original(found, run, version, fresh, deps)

    patch.setattr(redriving, "_reopen", reopen)


def an_end_is_told_again_by_every_repetition(patch: Patch) -> None:
    original = Step.resume

    async def resume(self: Any, record: StepRecord) -> Handled:
        handled = await original(self, record)
        ending = {"status": "succeeded", "finished_at": self._deps.clock.now()}
        telling.tell_ended(self._deps, self._scope.run, "", ending)
        return handled

    patch.setattr(Step, "resume", resume)


def a_start_is_told_by_whoever_meets_the_run(patch: Patch) -> None:
    original = opening.Opener._meet

    async def meet(self: Any, met: Any, plan: Any) -> None:
        telling.tell_opened(self._deps, self._record(met).document())
        await original(self, met, plan)

    patch.setattr(opening.Opener, "_meet", meet)


# Those that few seeds notice, by a case that does, and the seed from which on it does.
RARE = {
    a_finished_step_sends_nothing_again: of_case("chain", since=20),
    the_commit_has_no_fence: of_case("retries", since=2),
    the_end_of_a_run_has_no_precondition: of_case("join", since=1),
    a_letter_fails_nothing: of_case("early", since=37),
    a_step_is_taken_over_whoever_took_it_meanwhile: of_case("retries", since=1),
    a_lease_never_ends: of_case("join", since=29),
}
MUTATIONS = [
    *RARE,
    an_end_is_told_again_by_every_repetition,
    a_start_is_told_by_whoever_meets_the_run,
    every_delivery_claims,
    every_delivery_claims_even_what_is_done,
    all_claims_have_the_same_owner,
    messages_go_out_before_the_commit,
    joins_are_counted_outside_the_steps_commit,
    a_join_fires_at_its_first_branch,
    an_opened_run_sends_nothing_again,
    each_message_opens_a_run_of_its_own,
    a_deployment_takes_running_runs_along,
    a_run_opens_before_its_version_is_stored,
    a_run_may_be_redriven_without_its_failed_steps,
    an_event_is_acknowledged_before_it_is_stored,
    a_letter_has_no_bytes,
    a_letter_is_not_stored_once_its_run_has_failed,
    a_failed_step_sends_no_letter,
    the_same_letter_twice_is_two,
    a_redrive_closes_its_letters_before_the_run_goes_on,
    a_redrive_repeats_finished_steps,
]


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_protocol_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, RARE.get(mutate, of_any()))
