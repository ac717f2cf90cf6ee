"""Parents and children of runs that were undone: what a redrive does about them."""

from __future__ import annotations

import pytest

from shared.errors import RedriveRefusedError
from tests.functional import calls
from tests.functional.system import System, flow
from tests.functional.test_undoing import UNDO, runs, undone


@pytest.fixture(autouse=True)
def _broken() -> None:
    calls.BROKEN.add("bad")


async def test_a_child_that_was_undone_is_replaced_where_its_parent_is_redriven():
    child = flow(
        f"""
        a: {{call: test.echo, with: {{value: 1}}, {UNDO}a'}}}}}}
        bad: {{needs: a, call: test.count, with: {{name: bad, value: 2}}}}
        """,
        name="child",
        more="on: call\noutputs: {bad: '{{ bad }}'}",
    )
    system = System([flow("kid: {flow: child}", more="outputs: {kid: '{{ kid.bad }}'}"), child])
    await system.start()
    [parent] = [run for run in runs(system).values() if run.flow == "thing"]
    assert (parent.status, undone(system)) == ("failed", ["a"])
    calls.BROKEN.clear()
    await system.redrive(parent.run_id)
    parent = runs(system)[parent.run_id]
    assert (parent.status, parent.outputs) == ("succeeded", {"kid": 2})
    assert undone(system) == ["a"]
    children = [run.status for run in runs(system).values() if run.flow == "child"]
    assert sorted(children) == ["failed", "succeeded"]


async def test_a_child_of_a_run_that_was_undone_is_not_redriven():
    child = flow("bad: {call: test.count, with: {name: bad}}", name="child", more="on: call")
    parent = flow(
        f"""
        a: {{call: test.echo, with: {{value: 1}}, {UNDO}a'}}}}}}
        kid: {{needs: a, flow: child}}
        """
    )
    system = System([parent, child])
    await system.start()
    assert undone(system) == ["a"]
    with pytest.raises(RedriveRefusedError, match="undone by run thing-"):
        await system.redrive(system.letters()[0].letter_id)
    assert [run.redrives for run in runs(system).values() if run.flow == "child"] == [0]
