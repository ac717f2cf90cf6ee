"""The cases of the flow language have teeth: a construct without a part of it is found out."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from shared.delivery import closing, progress, settling, tries
from shared.delivery.maps import items
from shared.delivery.starts import admission, collecting, turns
from shared.delivery.waits import due, waking
from shared.delivery.waits import opening as waits
from shared.domain import chain
from shared.domain.chain import Arrivals, StepStatus
from shared.domain.mapped import Mapped
from shared.domain.records import StepRecord, step_path
from shared.domain.starts.control import Turn
from shared.domain.starts.lanes import control_path
from shared.domain.step import Step
from shared.ports import Increment, Put, Update
from tests.chaos.mutating import Mutation, Patch, of_case, require_found_out

claiming = sys.modules["shared.delivery.claim"]
rerouting = sys.modules["shared.delivery.letters.reroute"]


def a_join_of_some_is_decided_by_its_last_branch_alone(patch: Patch) -> None:
    """What the others have brought is forgotten: where the last one failed, it is skipped."""
    original = chain.fire

    def fire(flow: Any, join: str, arrivals: Any, variables: Any) -> Any:
        return original(flow, join, Arrivals(arrivals.arrived, arrivals.succeeded - 1), variables)

    patch.setattr(chain, "fire", fire)


def a_repetition_decides_only_what_it_decides_for_the_first_time(patch: Patch) -> None:
    original = chain.is_decided

    def is_decided(flow: Any, join: str, total: Any, new: Any) -> bool:
        return original(flow, join, total, new) and new is not None

    patch.setattr(chain, "is_decided", is_decided)


def a_failure_that_is_provided_for_leads_nowhere(patch: Patch) -> None:
    original = chain._succeeds

    def succeeds(edge: Any, status: StepStatus) -> bool:
        return edge.on == "success" and original(edge, status)

    patch.setattr(chain, "_succeeds", succeeds)


def a_failure_that_is_provided_for_ends_the_run(patch: Patch) -> None:
    patch.setattr(Step, "survives", property(lambda _self: False))


def a_failure_is_provided_for_outside_its_own_commit(patch: Patch) -> None:
    original = settling.Settler.settle

    async def settle(
        self: Any, step: str, status: StepStatus, result: Any, *more: Any, **about: Any
    ) -> Any:
        if status is StepStatus.FAILED:
            await self._deps.store.commit([result])
            result = Increment(result.path, {}, {})
        return await original(self, step, status, result, *more, **about)

    patch.setattr(settling.Settler, "settle", settle)


def a_given_up_step_is_not_rerouted_again(patch: Patch) -> None:
    class Forgetful(closing.Closing):
        async def resume(self, *_: Any) -> bool:
            return False

    patch.setattr(rerouting, "Closing", Forgetful)


def a_run_does_not_end_where_it_is_finished_early(patch: Patch) -> None:
    original = chain._Walk.leave

    def leave(self: Any, step: str, status: StepStatus) -> None:
        if status is StepStatus.SUCCEEDED and self._flow.steps[step].finish:
            return
        original(self, step, status)

    patch.setattr(chain._Walk, "leave", leave)


def an_item_that_has_ended_sends_nothing_again(patch: Patch) -> None:
    original = closing.Closing.resume

    async def resume(self: Any, record: Any, variables: Any) -> bool:
        return self._envelope.place is not None or await original(self, record, variables)

    patch.setattr(closing.Closing, "resume", resume)


def a_map_ends_as_often_as_somebody_finds_that_it_has(patch: Patch) -> None:
    def unfenced(path: str, data: Any, _revision: str) -> Increment:
        return Increment(path, {}, data)

    patch.setattr(items, "Update", unfenced)


def a_map_begins_again_with_each_repetition(patch: Patch) -> None:
    original = progress.Progress._begin

    async def begin(self: Any, record: Any, begin: Any, *more: Any) -> bool:
        return await original(self, record, Put(begin.path, begin.data), *more)

    patch.setattr(progress.Progress, "_begin", begin)


def no_item_is_sent_after_those_a_map_begins_with(patch: Patch) -> None:
    patch.setattr(Mapped, "after", lambda *_: None)


def a_redrive_leaves_out_the_items_that_were_never_sent(patch: Patch) -> None:
    original = items._has_ended
    patch.setattr(items, "_has_ended", lambda one, status: one is None or original(one, status))


def a_redrive_leaves_failed_items_as_they_are(patch: Patch) -> None:
    async def free(*_: Any) -> None:
        return

    patch.setattr(items.Items, "_free_failed", free)


def whoever_counts_counts_before_its_own_end(patch: Patch) -> None:
    original = items.Items._count

    async def count(self: Any, step: str, statuses: Any) -> int:
        return await original(self, step, statuses) - 1

    patch.setattr(items.Items, "_count", count)


def a_given_up_item_is_forgotten(patch: Patch) -> None:
    original = rerouting._Rerouting.fail

    async def fail(self: Any) -> None:
        if self._envelope.place is None:
            await original(self)

    patch.setattr(rerouting._Rerouting, "fail", fail)


def nobody_takes_up_what_is_due(patch: Patch) -> None:
    async def take_up(_found: Any, _deps: Any) -> bool:
        return False

    patch.setattr(due, "take_up", take_up)


def what_is_due_is_forgotten_before_it_is_sent(patch: Patch) -> None:
    original = due.take_up

    async def take_up(found: Any, deps: Any) -> bool:
        await deps.store.commit([Increment(found.path, {}, {"due": None})])
        return await original(found, deps)

    patch.setattr(due, "take_up", take_up)


def a_step_is_tried_once_more_than_it_says(patch: Patch) -> None:
    original = tries.wait_before_retry

    def wait(policy: Any, failures: int, *about: Any) -> float | None:
        return original(policy, failures - 1 or 1, *about)

    patch.setattr(tries, "wait_before_retry", wait)


def a_try_is_put_off_by_whoever_had_the_step(patch: Patch) -> None:
    """Without a fence: over what another delivery has made of the step since."""

    async def note(deps: Any, held: Any, changed: Any, also: Any = ()) -> Any:
        record = held.record.model_copy(update=changed)
        path = step_path(record.run_id, record.step)
        write = Increment(path, {}, StepRecord.fields_of(changed))
        written, *_ = await deps.store.commit([write, *also])
        return claiming.Claim(record, written.revision)

    patch.setattr(claiming, "_note", note)


def an_early_signal_is_forgotten(patch: Patch) -> None:
    async def look(*_: Any) -> None:
        return

    patch.setattr(waits.Waits, "_look_for_signal", look)


def a_wait_ends_as_often_as_something_comes(patch: Patch) -> None:
    def unfenced(path: str, data: Any, _revision: str) -> Increment:
        return Increment(path, {}, data)

    patch.setattr(waking, "Update", unfenced)


def what_follows_from_a_wait_is_left_to_whoever_ends_it(patch: Patch) -> None:
    original = waking.Waking._result

    def result(self: Any, *about: Any, **more: Any) -> Any:
        write = original(self, *about, **more)
        return Update(write.path, {**write.data, "due": None}, write.revision)

    patch.setattr(waking.Waking, "_result", result)


def the_keys_of_runs_are_not_fenced(patch: Patch) -> None:
    def fences(self: Any) -> list[Any]:
        return [Put(control_path(name), record.document()) for name, record in self._stands.items()]

    patch.setattr(admission.Gate, "_fences", fences)


def whoever_comes_is_let_in_while_others_wait(patch: Patch) -> None:
    original = admission.present
    patch.setattr(admission, "present", lambda key, *_: original(key, Turn.BEGUN))


def the_last_to_come_is_the_first_to_begin(patch: Patch) -> None:
    original = turns._head

    async def head(found: Any, lane: Any, deps: Any) -> Any:
        one = await original(found, lane, deps)
        return one if one is None or one.next is None else replace(one, run=one.next, next=one.run)

    patch.setattr(turns, "_head", head)


def a_batch_is_not_made_sure_of(patch: Patch) -> None:
    original = collecting._closing

    def closing(found: Any, batch: str, now: Any) -> Any:
        first, *others = original(found, batch, now)
        return [replace(first, data={**first.data, "due": None}), *others]

    patch.setattr(collecting, "_closing", closing)


# By the case that has it, and the seed from which on it is soon found out.
MUTATIONS = {
    a_join_of_some_is_decided_by_its_last_branch_alone: of_case("race"),
    a_repetition_decides_only_what_it_decides_for_the_first_time: of_case("race"),
    a_failure_that_is_provided_for_leads_nowhere: of_case("provided"),
    a_failure_that_is_provided_for_ends_the_run: of_case("provided"),
    a_failure_is_provided_for_outside_its_own_commit: of_case("provided", since=11),
    a_given_up_step_is_not_rerouted_again: of_case("provided", since=8),
    a_run_does_not_end_where_it_is_finished_early: of_case("early"),
    an_item_that_has_ended_sends_nothing_again: of_case("maps", since=28),
    a_map_ends_as_often_as_somebody_finds_that_it_has: of_case("maps"),
    a_map_begins_again_with_each_repetition: of_case("maps"),
    no_item_is_sent_after_those_a_map_begins_with: of_case("maps"),
    a_redrive_leaves_out_the_items_that_were_never_sent: of_case("doomed-map"),
    a_redrive_leaves_failed_items_as_they_are: of_case("doomed-map"),
    whoever_counts_counts_before_its_own_end: of_case("maps"),
    a_given_up_item_is_forgotten: of_case("maps", since=32),
    nobody_takes_up_what_is_due: of_case("retries"),
    what_is_due_is_forgotten_before_it_is_sent: of_case("retries", since=28),
    a_step_is_tried_once_more_than_it_says: of_case("retries"),
    a_try_is_put_off_by_whoever_had_the_step: of_case("retries"),
    an_early_signal_is_forgotten: of_case("waits", since=4),
    a_wait_ends_as_often_as_something_comes: of_case("waits", since=40),
    what_follows_from_a_wait_is_left_to_whoever_ends_it: of_case("waits", since=40),
    the_keys_of_runs_are_not_fenced: of_case("ordered"),
    whoever_comes_is_let_in_while_others_wait: of_case("ordered", since=72),
    the_last_to_come_is_the_first_to_begin: of_case("ordered"),
    a_batch_is_not_made_sure_of: of_case("batched", since=14),
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_construct_without_this_part_is_found_out(mutate: Mutation, monkeypatch: Patch):
    require_found_out(mutate, monkeypatch, MUTATIONS[mutate])
