"""Laws of a run's progress, over random graphs: whatever the order, duplication or crash."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chain import arrivals_at, frontier, is_over
from shared.domain.flow import END, Flow
from shared.prompting.checks.graph import graph_problems
from shared.prompting.source import read_yaml
from tests.property.chain_runs import FAILED, OK, OPENING, Case, Simulation, cases, joins

randoms = st.randoms(use_true_random=False)


@given(cases(), randoms)
def test_every_step_is_decided_once_and_runs_iff_enough_branches_and_its_condition_let_it(
    case: Case, random: Random
) -> None:
    run = Simulation(case, random).run()
    assert run.statuses == case.outcome
    assert {step: run.decided[step] for step in case.flow.steps} == dict.fromkeys(
        case.flow.steps, 1
    )
    assert run.sent == Counter(case.ran)


@given(cases(), randoms)
def test_every_join_fires_once_and_the_end_is_reached_once(case: Case, random: Random) -> None:
    """Arrivals that come after a join has fired change nothing."""
    run = Simulation(case, random).run()
    expected = [step for step in case.flow.steps if case.flow.is_join(step)]
    expected += [END] if len(case.flow.leaves) > 1 else []
    assert run.fired == Counter(expected)
    assert (run.finishes, run.ends) == (1, 1)


@given(cases(), randoms, st.integers(0, 8), st.integers(0, 8))
def test_duplicates_and_crashes_change_nothing_but_the_number_of_messages(
    case: Case, random: Random, crashes: int, duplicates: int
) -> None:
    run = Simulation(case, random, crashes, duplicates).run()
    assert run.statuses == case.outcome
    assert max(run.decided.values()) == 1
    assert run.ends == 1
    assert set(run.sent) == set(case.ran)


@given(cases(), randoms)
def test_join_counts_end_at_the_joins_width(case: Case, random: Random) -> None:
    run = Simulation(case, random, crashes=3, duplicates=3).run()
    for join in run.arrived:
        edges = [] if join == END else case.flow.incoming[join]
        wanted = {"success": OK, "error": FAILED}
        reached = [run.statuses[edge.source] is wanted[edge.on] for edge in edges]
        if join == END:
            reached = [run.statuses[leaf] is OK for leaf in case.flow.leaves]
        assert run.arrived[join] == case.flow.width(join) == len(reached)
        assert run.succeeded[join] == sum(reached)


@given(cases(), randoms)
def test_between_messages_the_frontier_is_what_is_on_its_way(case: Case, random: Random) -> None:
    run = Simulation(case, random)
    while run.queue:
        for _ in run.handle(run.queue.pop(random.randrange(len(run.queue)))):
            pass
        found = frontier(case.flow, run.statuses)
        assert sorted(found) == sorted(run.queue)
        assert (not found) is (run.statuses.keys() == case.flow.steps.keys())


@given(cases(), randoms, randoms)
def test_every_order_ends_the_same(case: Case, one: Random, other: Random) -> None:
    first = Simulation(case, one, crashes=2, duplicates=2).run()
    second = Simulation(case, other).run()
    assert first.statuses == second.statuses
    assert first.arrived == second.arrived
    assert first.succeeded == second.succeeded


@given(cases(), randoms)
def test_at_any_moment_the_frontier_is_empty_exactly_when_all_steps_are_final(
    case: Case, random: Random
) -> None:
    run = Simulation(case, random, crashes=3, duplicates=3)
    while run.step():
        everything = run.statuses.keys() == case.flow.steps.keys()
        assert (not frontier(case.flow, run.statuses)) is everything
        assert is_over(case.flow, run.statuses) or not run.ends


@given(cases(finishes=True), randoms, st.lists(st.integers(1, 20), max_size=4))
def test_a_run_cut_off_anywhere_goes_on_from_its_frontier(
    case: Case, random: Random, cuts: list[int]
) -> None:
    """As a redrive does: all messages are lost, and what is recorded is all there is."""
    run = Simulation(case, random)
    while OPENING not in run.decided:
        run.step()
    for cut in cuts:
        for _ in range(cut):
            run.step()
        run.queue, run.active = [], []
        if is_over(case.flow, run.statuses):
            run.finish()
        for step in frontier(case.flow, run.statuses):
            arrivals = arrivals_at(case.flow, step, run.statuses)
            run.active.append((step, run.fire(step, arrivals)))
    run.run()
    assert run.statuses.items() <= case.outcome.items()
    assert max(run.decided.values()) == 1
    assert run.ends == 1


@given(cases(finishes=True), randoms, st.integers(0, 8), st.integers(0, 8))
def test_a_run_that_may_finish_early_ends_once_and_decides_nothing_twice(
    case: Case, random: Random, crashes: int, duplicates: int
) -> None:
    run = Simulation(case, random, crashes, duplicates).run()
    assert run.ends == 1
    assert max(run.decided.values()) == 1
    assert run.statuses.items() <= case.outcome.items()
    if not crashes and not duplicates:
        assert max(run.fired.values(), default=1) == 1


@given(st.data(), randoms)
def test_every_flow_that_is_accepted_ends(data: st.DataObject, random: Random) -> None:
    """Steps are joined in any way at all; those that could wait for ever are refused."""
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 5)))]
    steps = {
        name: {
            "call": "x.y",
            "needs": data.draw(st.lists(st.sampled_from(names), max_size=2)),
            "join": data.draw(joins(2)),
            "on_error": data.draw(
                st.sampled_from(["fail", "continue"])
                | st.sampled_from(names).map(lambda to: {"goto": to})
            ),
            "finish": data.draw(st.booleans()),
        }
        for name in names
    }
    declared = {"flow": "f", "on": {"event": "t"}, "steps": steps}
    flow = Flow.model_validate(declared)
    if graph_problems(read_yaml(json.dumps(declared), "f.yaml"), flow):
        return
    failing = {name for name in names if flow.steps[name].survives and data.draw(st.booleans())}
    run = Simulation(Case(flow, dict.fromkeys(names, True), frozenset(failing)), random).run()
    assert run.ends == 1
