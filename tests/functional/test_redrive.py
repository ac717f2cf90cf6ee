"""Once its cause is gone, a redrive takes a run on to its end and repeats no finished step."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.domain.records import dead_letter_path
from shared.errors import (
    BusUnavailableError,
    ModelRefusedError,
    NotFoundError,
    RedriveRefusedError,
)
from shared.ports import Update
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, echoing, flow

CHAIN = flow(
    """
    said: {prompt: say, with: {text: hello}}
    told: {needs: said, action: http.request, with: {url: "https://example.com/{{ said.text }}"}}
    kept: {needs: told, call: test.count, with: {name: kept, value: 1}}
    last: {needs: kept, prompt: say, with: {text: "{{ kept }}"}}
    """,
    more="outputs: {last: '{{ last.text }}'}",
)


async def broken(*names: str, version: Any = CHAIN, seed: int = 0, data: Any = None) -> System:
    """A run that has failed because calls of these names are broken."""
    calls.BROKEN.update(names)
    system = System([version], seed=seed)
    await system.start(data)
    assert (await system.report())["status"] == "failed"
    return system


async def outcome(system: System) -> tuple[str, Any]:
    report = await system.report()
    return report["status"], report["outputs"]


def counted(name: str, needs: str = "", value: str = "1") -> str:
    wanted = f"needs: {needs}, " if needs else ""
    return f"{name}: {{{wanted}call: test.count, with: {{name: {name}, value: {value}}}}}"


async def test_a_redriven_run_goes_on_where_it_stopped():
    system = await broken("kept")
    calls.BROKEN.clear()
    redriven = await system.redrive()
    assert redriven.steps == ("kept",)
    assert await outcome(system) == ("succeeded", {"last": "last(1)"})
    assert system.asked() == ["said: hello", "last: 1"]
    assert len(system.effects.performed) == 1
    assert calls.SEEN["kept"] == 2


async def test_a_redriven_step_keeps_the_ledger_of_its_attempts():
    system = await broken("kept")
    calls.BROKEN.clear()
    await system.redrive()
    report = await system.report()
    ledger = report["steps"]["kept"]["ledger"]
    assert [one["outcome"] for one in ledger] == ["failed", "succeeded"]
    assert "kept is broken" in ledger[0]["error"]["message"]
    assert (report["redrives"], report["error"]) == (1, None)


async def test_a_letter_can_be_redriven_once():
    system = await broken("kept")
    letter = system.letter()
    calls.BROKEN.clear()
    await system.redrive(letter.letter_id)
    assert system.letter().status == "redriven"
    with pytest.raises(RedriveRefusedError, match="was redriven already"):
        await system.redrive(letter.letter_id)
    with pytest.raises(RedriveRefusedError, match="only a failed run can go on"):
        await system.redrive(letter.run_id)
    assert calls.SEEN["kept"] == 2


async def test_a_redrive_cut_short_before_it_closed_the_letter_is_finished_by_the_next():
    system = await broken("kept")
    letter = system.letter()
    calls.BROKEN.clear()
    await system.redrive(letter.run_id)
    found = await system.world.documents.get(dead_letter_path(letter.letter_id))
    assert found is not None
    await system.world.documents.commit([Update(found.path, {"status": "open"}, found.revision)])
    again = await system.redrive(letter.letter_id)
    assert (again.steps, system.letter().status) == ((), "redriven")
    assert await outcome(system) == ("succeeded", {"last": "last(1)"})
    assert calls.SEEN["kept"] == 2


async def test_a_letter_that_comes_after_its_run_was_redriven_is_closed():
    calls.BROKEN.add("kept")
    system = System([CHAIN])
    await system.publish(EVENT)
    while not [one for one in system.pipeline.collect() if one.stage == "bury"]:
        await system.pipeline.step()
    [late] = system.pipeline.collect()
    system.pipeline.take(late)
    calls.BROKEN.clear()
    await system.redrive(system.run_ids()[0])
    assert system.letters() == []
    await system.pipeline.deliver(late)
    assert (system.letter().status, system.letter().redrives) == ("redriven", 0)
    assert await outcome(system) == ("succeeded", {"last": "last(1)"})


async def test_a_step_that_fails_again_while_the_redrive_still_works_leaves_an_open_letter():
    system = await broken("kept")
    working = system.world.messages.publish

    async def slow(topic: str, messages: Any) -> Any:
        sent = await working(topic, messages)
        del system.world.messages.publish
        await system.run()  # the redriven step fails before the redrive goes on
        return sent

    system.world.messages.publish = slow
    await system.redrive()
    assert (await system.report())["status"] == "failed"
    assert [(one.redrives, one.status) for one in by_redrives(system)] == [
        (0, "redriven"),
        (1, "open"),
    ]


async def test_what_is_not_there_cannot_be_redriven():
    system = await broken("kept")
    with pytest.raises(NotFoundError, match="no dead letter and no run 'nobody'"):
        await system.redrive("nobody")


async def test_failing_again_gives_a_new_letter():
    system = await broken("kept")
    for times in range(1, 4):
        await system.redrive()
        letters = system.letters()
        assert len(letters) == times + 1
        assert sorted(one.redrives for one in letters) == list(range(times + 1))
        assert Counter(one.status for one in letters) == {"redriven": times, "open": 1}
        assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive()
    assert await outcome(system) == ("succeeded", {"last": "last(1)"})
    assert calls.SEEN["kept"] == 5


@pytest.mark.parametrize("seed", range(6))
async def test_several_failed_branches_are_redriven_together(seed: int):
    steps = [counted(name) for name in "abcd"] + [counted("tip", "[a, b, c, d]", "'{{ a + c }}'")]
    version = flow("\n".join(steps), more="outputs: {sum: '{{ tip }}'}")
    system = await broken("a", "c", "d", version=version, seed=seed)
    calls.BROKEN.clear()
    await system.redrive(system.letters()[0].letter_id)
    assert await outcome(system) == ("succeeded", {"sum": 2})
    assert {one.status for one in system.letters()} == {"redriven"}
    assert calls.SEEN["b"] == 1
    assert (await system.joins())["tip"] | {"expire_at": 0} == {
        "arrived": 4,
        "succeeded": 4,
        "expire_at": 0,
    }


@pytest.mark.parametrize("seed", range(8))
async def test_a_branch_held_back_by_the_runs_end_goes_on_after_the_redrive(seed: int):
    version = flow(
        "\n".join(
            [
                counted("bad"),
                *(counted(f"s{n}", f"s{n - 1}" if n else "") for n in range(5)),
                counted("tip", "[bad, s4]"),
            ]
        ),
        more="outputs: {tip: '{{ tip }}'}",
    )
    system = await broken("bad", version=version, seed=seed)
    ran = {name for name, status in (await system.statuses()).items() if status == "succeeded"}
    calls.BROKEN.clear()
    await system.redrive()
    assert await outcome(system) == ("succeeded", {"tip": 1})
    assert {calls.SEEN[name] for name in ran} <= {1}
    assert calls.SEEN["bad"] == 2


async def test_a_step_cut_down_before_the_run_failed_goes_on_after_the_redrive():
    """Its message was acknowledged because the run had ended; its record still says running."""
    version = flow(
        "\n".join([counted("bad"), counted("slow"), counted("tip", "[bad, slow]")]),
        more="outputs: {tip: '{{ tip }}'}",
    )
    calls.BROKEN.add("bad")
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at("claimed", "slow")
    await system.run()
    assert await system.statuses() == {"bad": "failed", "slow": "running", "tip": "pending"}
    calls.BROKEN.clear()
    await system.redrive()
    assert await outcome(system) == ("succeeded", {"tip": 1})
    assert calls.SEEN == {"bad": 2, "slow": 1, "tip": 1}


async def test_a_join_that_was_about_to_be_skipped_is_skipped_after_the_redrive():
    version = flow(
        "\n".join(
            [
                counted("bad"),
                "a: {call: test.count, with: {name: a, value: 0}}",
                "l: {needs: a, when: a > 0, call: test.echo}",
                "r: {needs: a, when: a > 0, call: test.echo}",
                "inner: {needs: [l, r], call: test.echo}",
                counted("tip", "[bad, inner]"),
            ]
        ),
        more="outputs: {tip: '{{ tip }}'}",
    )
    calls.BROKEN.add("bad")
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at("committed", "a")
    await system.run()
    assert (await system.statuses())["inner"] == "pending"
    calls.BROKEN.clear()
    await system.redrive()
    assert await outcome(system) == ("succeeded", {"tip": 1})
    assert (await system.statuses())["inner"] == "skipped"


async def test_a_run_that_failed_without_a_letter_is_continued_by_its_own_id():
    version = flow("a: {call: test.count, with: {name: a}}", more="outputs: {n: '{{ a.x }}'}")
    system = System([version])
    await system.start()
    assert ((await system.report())["error"]["code"], system.letters()) == ("Expression", [])
    await system.redrive(system.run_ids()[0])
    report = await system.report()
    assert (report["status"], report["redrives"], calls.SEEN["a"]) == ("failed", 1, 1)


async def test_an_undecodable_letter_goes_back_to_its_stage_as_it_was():
    system = System([CHAIN])
    await system.send("act", b"\x00garbage", {"tenant": "t"})
    await system.run()
    await system.redrive()
    sent = [message for topic, _, message in system.world.messages.published if topic == "act"]
    assert [message.data for message in sent] == [b"\x00garbage"] * 2
    assert sent[1].attributes == {"tenant": "t", "segue-redrive": "1"}
    assert [(one.redrives, one.status) for one in by_redrives(system)] == [
        (0, "redriven"),
        (1, "open"),
    ]


async def test_a_large_letter_goes_back_whole():
    system = System([CHAIN])
    data = bytes(range(256)) * 10_000
    await system.send("generate", data, {})
    await system.run()
    await system.redrive()
    sent = [
        message.data for topic, _, message in system.world.messages.published if topic == "generate"
    ]
    assert sent == [data, data]


def by_redrives(system: System) -> list[Any]:
    return sorted(system.letters(), key=lambda letter: letter.redrives)


async def test_a_model_that_recovers_is_asked_again_by_the_redrive_only():
    model = ScriptedModel({"say": [ModelRefusedError("SAFETY"), "fine", "fine"]}, default=echoing)
    system = System([CHAIN], model=model)
    await system.start()
    assert (await system.report())["status"] == "failed"
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"
    assert len(model.calls) == 3


async def test_a_letter_of_route_for_an_event_whose_run_is_open_sets_it_going():
    """Route opened the run and then never got its first message out."""
    system = System([CHAIN])
    await system.publish(EVENT, ce_id="e1")
    working = system.world.messages.publish

    async def refusing(topic: str, messages: Any) -> Any:
        if topic == "compose":
            raise BusUnavailableError("down")
        return await working(topic, messages)

    system.world.messages.publish = refusing
    await system.run()
    del system.world.messages.publish
    assert (await system.report())["status"] == "running"
    assert system.letter().stage == "route"
    await system.redrive()
    assert await outcome(system) == ("succeeded", {"last": "last(1)"})


async def test_a_failure_whose_burial_was_cut_short_is_buried_all_the_same():
    """The run has ended by then, which must not make the stage drop the message."""
    calls.BROKEN.add("kept")
    version = flow("kept: {call: test.count, with: {name: kept}}")
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    working = system.world.messages.publish
    refused = []

    async def refusing_once(topic: str, messages: Any) -> Any:
        if topic == "act-dead" and not refused:
            refused.append(topic)
            raise BusUnavailableError("down")
        return await working(topic, messages)

    system.world.messages.publish = refusing_once
    await system.run()
    assert refused == ["act-dead"]
    assert (await system.report())["status"] == "failed"
    assert (system.letter().error.code, system.letter().step) == ("ActionFailed", "kept")
    assert calls.SEEN["kept"] == 1
