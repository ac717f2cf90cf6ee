"""`when`: what is skipped, what still runs behind it, and what the run's outputs say then."""

from __future__ import annotations

import pytest

from tests.functional.system import System, flow

OFF, ON = "when: event.data.off, ", "when: not event.data.off, "


def echo(name: str, needs: str = "", *, when: str = "") -> str:
    wanted = f"needs: {needs}, " if needs else ""
    return f"{name}: {{{wanted}{when}call: test.count, with: {{name: {name}, value: 1}}}}"


async def skipping(*steps: str, seed: int = 0, outputs: str = "") -> System:
    more = f"outputs: {{{outputs}}}" if outputs else ""
    system = System([flow("\n".join(steps), more=more)], seed=seed)
    await system.start({"off": False})
    return system


async def test_what_needs_only_a_skipped_step_is_skipped():
    system = await skipping(echo("a"), echo("b", "a", when=OFF), echo("c", "b"), echo("d", "c"))
    assert await system.statuses() == {
        "a": "succeeded",
        "b": "skipped",
        "c": "skipped",
        "d": "skipped",
    }
    assert (await system.report())["status"] == "succeeded"
    assert system.topics("act") == 1


async def test_when_that_holds_changes_nothing():
    system = await skipping(echo("a", when=ON), echo("b", "a", when=ON))
    assert set((await system.statuses()).values()) == {"succeeded"}


@pytest.mark.parametrize("seed", range(4))
async def test_a_join_runs_when_one_branch_succeeded(seed: int):
    system = await skipping(
        echo("a"), echo("b"), echo("left", "a", when=OFF), echo("tip", "[left, b]"), seed=seed
    )
    assert (await system.statuses())["tip"] == "succeeded"
    assert (await system.joins())["tip"]["succeeded"] == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_join_whose_branches_were_all_skipped_is_skipped(seed: int):
    system = await skipping(
        echo("a"),
        echo("left", "a", when=OFF),
        echo("right", "a", when=OFF),
        echo("tip", "[left, right]"),
        echo("after", "tip"),
        seed=seed,
    )
    assert await system.statuses() == {
        "a": "succeeded",
        "left": "skipped",
        "right": "skipped",
        "tip": "skipped",
        "after": "skipped",
    }
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("seed", range(6))
async def test_a_skipped_join_counts_at_the_next_join(seed: int):
    system = await skipping(
        echo("a"),
        echo("b"),
        echo("l", "a", when=OFF),
        echo("r", "b", when=OFF),
        echo("inner", "[l, r]"),
        echo("outer", "[inner, a]"),
        echo("last", "[outer, b]"),
        seed=seed,
    )
    statuses = await system.statuses()
    assert statuses["inner"] == "skipped"
    assert (statuses["outer"], statuses["last"]) == ("succeeded", "succeeded")
    assert {j["arrived"] for j in (await system.joins()).values()} == {2}


async def test_a_join_can_itself_be_skipped_by_when():
    system = await skipping(
        echo("a"), echo("b"), echo("tip", "[a, b]", when=OFF), echo("after", "tip")
    )
    statuses = await system.statuses()
    assert (statuses["tip"], statuses["after"]) == ("skipped", "skipped")
    assert (await system.report())["status"] == "succeeded"


async def test_when_of_a_join_sees_every_branch():
    system = await skipping(echo("a"), echo("b"), echo("tip", "[a, b]", when="when: a + b == 2, "))
    assert (await system.statuses())["tip"] == "succeeded"


async def test_when_can_ask_whether_a_branch_was_skipped():
    system = await skipping(
        echo("a", when=OFF), echo("b"), echo("tip", "[a, b]", when="when: a is not defined, ")
    )
    assert (await system.statuses())["tip"] == "succeeded"


async def test_a_flow_whose_only_step_is_skipped_succeeds_at_once():
    system = await skipping(echo("a", when=OFF), outputs="a: '{{ a }}', n: 1")
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"a": None, "n": 1})
    assert await system.statuses() == {"a": "skipped"}
    assert system.topics("act") == 0
    assert report["finished_at"] is not None


async def test_a_flow_whose_leaves_are_all_skipped_at_the_start_succeeds():
    system = await skipping(echo("a", when=OFF), echo("b", when=OFF), echo("c", when=OFF))
    assert (await system.report())["status"] == "succeeded"
    assert set((await system.statuses()).values()) == {"skipped"}


@pytest.mark.parametrize("seed", range(4))
async def test_a_skipped_leaf_counts_at_the_end(seed: int):
    system = await skipping(echo("a"), echo("b", when=OFF), echo("c", "a", when=OFF), seed=seed)
    assert (await system.report())["status"] == "succeeded"
    assert (await system.joins())["$end"]["arrived"] == 2


async def test_an_output_that_refers_to_a_skipped_step_is_null():
    system = await skipping(
        echo("a"),
        echo("b", "a", when=OFF),
        outputs="kept: '{{ a }}', gone: '{{ b.text }}', mixed: 'b said {{ b }}',"
        " guarded: \"{{ b | default('none') }}\"",
    )
    assert (await system.report())["outputs"] == {
        "kept": 1,
        "gone": None,
        "mixed": None,
        "guarded": "none",
    }


async def test_an_output_that_fails_for_another_reason_fails_the_run():
    system = await skipping(echo("a"), outputs="bad: '{{ a.no.such }}'")
    report = await system.report()
    assert report["status"] == "failed"
    assert report["error"]["code"] == "Expression"
    assert "output 'bad'" in report["error"]["message"]
    assert report["steps"]["a"]["status"] == "succeeded"
