"""Laws of moving a run to another version of its flow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chain import StepStatus
from shared.domain.moving import obstacles
from tests.property.chain_runs import Case, cases

statuses = st.sampled_from(list(StepStatus))


@given(cases(finishes=True), st.data())
def test_a_version_never_stands_in_its_own_way(case: Case, data: st.DataObject) -> None:
    names = sorted(case.flow.steps)
    recorded = data.draw(st.dictionaries(st.sampled_from(names), statuses))
    assert obstacles(case.flow, case.flow.model_copy(), recorded) == ()


@given(cases(), cases(), st.data())
def test_a_run_that_has_got_further_meets_no_fewer_obstacles(
    before: Case, after: Case, data: st.DataObject
) -> None:
    names = sorted(before.flow.steps)
    later = data.draw(st.dictionaries(st.sampled_from(names), statuses))
    earlier = {name: later[name] for name in sorted(later)[: len(later) // 2]}
    found = obstacles(before.flow, after.flow, earlier)
    assert set(found) <= set(obstacles(before.flow, after.flow, later))
