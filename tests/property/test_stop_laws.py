"""Laws of what a cancel and a pause write, for every state in which a run's records can be."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.delivery.commands.cancelling import _mark
from shared.delivery.commands.holding import held_back, let_go
from shared.delivery.commands.marking import Mark, mark_unfinished
from shared.domain.chain import StepStatus
from shared.domain.mapped import Mapped
from shared.domain.records import RunRecord, StepRecord, step_path
from shared.ports import Create
from tests.functional.system import System, flow

LANES, SIZE = 3, 12
FLOW = flow(
    f"""
    a: {{call: test.echo}}
    b: {{needs: a, prompt: say, with: {{text: hi}}}}
    each: {{foreach: {{in: "range({SIZE})", max_parallel: {LANES}}}, call: test.echo}}
    """
)
STATUS = st.none() | st.sampled_from(list(StepStatus))
STATES = st.fixed_dictionaries(
    {
        **dict.fromkeys(("a", "b"), STATUS),
        **{f"each[{index}]": STATUS for index in range(SIZE)},
    }
)


def marked(states: dict[str, StepStatus | None], *marks: str) -> dict[str, dict[str, Any]]:
    """The records by name, as each mark leaves them, one after another."""

    async def mark() -> dict[str, dict[str, Any]]:
        system = System([FLOW])
        deps = system.pipeline.deps()
        await system.publish("thing.happened")
        await system.pipeline.step("route")
        [run] = system.stored("runs", RunRecord)
        begun = _record(run, "each", StepStatus.RUNNING)
        mapped = Mapped(size=SIZE, values=list(range(SIZE)))
        records = [_record(run, name, status) for name, status in states.items() if status]
        store = system.world.documents
        store.documents = {
            path: one for path, one in store.documents.items() if "/steps/" not in path
        }
        for record in (begun.model_copy(update={"mapped": mapped}), *records):
            await store.commit([Create(step_path(run.run_id, record.step), record.document())])
        kinds = {
            "cancel": _mark(deps),
            "pause": Mark(held_back, {"held": True}),
            "resume": Mark(let_go),
        }
        for kind in marks:
            await mark_unfinished(run, kinds[kind], deps)
        found = {path: one.data for path, one in store.documents.items() if "/steps/" in path}
        return {path.rsplit("/", 1)[1]: dict(data) for path, data in found.items()}

    return asyncio.run(mark())


def _record(run: RunRecord, name: str, status: StepStatus) -> StepRecord:
    about = {"run_id": run.run_id, "flow": run.flow, "step": name, "stage": "act"}
    return StepRecord(**about, status=status, owner="w", expire_at=run.expire_at)


@settings(max_examples=12, deadline=None)
@given(STATES)
def test_a_cancel_ends_all_that_has_not_ended_and_nothing_else(
    states: dict[str, StepStatus | None],
):
    records = marked(states, "cancel")
    for name, status in states.items():
        if status is not None:
            ended = status if status.is_final else StepStatus.CANCELLED
            assert records[name]["status"] == ended
    assert {record["status"] for record in records.values()} <= {
        status.value for status in StepStatus if status.is_final
    }
    assert {"a", "b", "each"} <= records.keys()


@settings(max_examples=12, deadline=None)
@given(STATES)
def test_no_item_that_may_be_under_way_is_left_without_a_record(
    states: dict[str, StepStatus | None],
):
    records = marked(states, "cancel")
    for index in range(SIZE):
        before = states.get(f"each[{index - LANES}]")
        went_on = before is not None and before.is_final and before is not StepStatus.CANCELLED
        may_be_sent = index < LANES or went_on
        assert not may_be_sent or f"each[{index}]" in records
    created = [name for name in records if states.get(name) is None and name.startswith("each[")]
    assert len(created) <= LANES + sum(1 for status in states.values() if status is not None)


@settings(max_examples=12, deadline=None)
@given(STATES)
def test_a_pause_that_is_taken_back_leaves_what_there_was(states: dict[str, StepStatus | None]):
    records, held = marked(states, "pause", "resume"), marked(states, "pause")
    for name, status in states.items():
        if status is not None:
            assert (records[name]["status"], records[name]["held"]) == (status, False)
            assert held[name]["held"] is (status is StepStatus.PENDING)
    assert not any(record["held"] for record in records.values())


@settings(max_examples=10, deadline=None)
@given(STATES, st.sampled_from(["cancel", "pause", "resume"]))
def test_marking_twice_is_marking_once(states: dict[str, StepStatus | None], kind: str):
    assert marked(states, kind, kind) == marked(states, kind)
