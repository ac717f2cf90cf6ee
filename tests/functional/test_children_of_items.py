"""A mapped step of children: each item has a child of its own."""

from __future__ import annotations

import pytest

from shared.domain.records import RunRecord, StepRecord
from tests.functional import calls
from tests.functional.family import leaf, parent, run_of, steps
from tests.functional.system import EVENT, System

EACH = "flow: leaf, with: {n: '{{ item }}'}"


async def test_each_item_has_a_child_of_its_own():
    version = parent(
        f"foreach: {{in: 'range(5)', max_parallel: 2}}, {EACH}",
        more="outputs: {all: \"{{ kid | map(attribute='n') | list }}\"}",
    )
    system = System([version, leaf()])
    await system.publish(EVENT)
    most = 0
    while await system.pipeline.step():
        records = system.stored(f"runs/{run_of(system).run_id}/steps", StepRecord)
        most = max(most, sum(one.index is not None and not one.status.is_final for one in records))
    assert (run_of(system).outputs, most) == ({"all": [0, 2, 4, 6, 8]}, 2)
    assert len(system.run_ids()) == 6
    writes = system.world.documents.writes
    items = [path for path in writes if "/steps/kid[" in path]
    assert {writes[path] for path in items} == {2}
    kid = (await steps(system))["kid"]
    assert len({item["child"] for item in kid["items"]}) == 5


@pytest.mark.parametrize(("tolerate", "status"), [(1, "failed"), (2, "succeeded")])
async def test_so_many_children_may_fail(tolerate: int, status: str):
    calls.BROKEN.update({"i1", "i3"})
    child = leaf(step="{call: test.count, with: {name: 'i{{ event.data.n }}', value: 1}}")
    version = parent(f"foreach: {{in: 'range(5)', tolerate: {tolerate}}}, {EACH}", more="")
    system = System([version, child])
    await system.start()
    assert run_of(system).status == status
    if status == "succeeded":
        output = (await steps(system))["kid"]["output"]
        assert output == [{"n": 1}, None, {"n": 1}, None, {"n": 1}]


async def test_an_item_that_cannot_be_opened_fails_alone():
    version = parent(
        "foreach: {in: '[1, none, 3]', tolerate: 1}, flow: leaf, with: {n: '{{ item + 0 }}'}",
        more="",
    )
    system = System([version, leaf()])
    await system.start()
    kid = (await steps(system))["kid"]
    assert kid["output"] == [{"n": 2}, None, {"n": 6}]
    assert kid["errors"][0]["code"] == "Expression"


async def test_failed_items_are_redriven_with_their_children():
    calls.BROKEN.update({"i1", "i3"})
    child = leaf(step="{call: test.count, with: {name: 'i{{ event.data.n }}', value: 1}}")
    version = parent(f"foreach: {{in: 'range(5)', max_parallel: 5}}, {EACH}", more="")
    system = System([version, child])
    await system.start()
    before = system.run_ids()
    calls.BROKEN.clear()
    await system.redrive(run_of(system).run_id)
    assert {run.status for run in system.stored("runs", RunRecord)} <= {"succeeded", "cancelled"}
    assert (await steps(system))["kid"]["output"] == [{"n": 1}] * 5
    assert calls.SEEN["i0"] + calls.SEEN["i1"] in {3, 4}
    assert set(before) <= set(system.run_ids())
