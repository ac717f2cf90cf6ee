"""Steps that are tried again: at once, in a while, or by what takes their place."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.version import FlowVersion
from shared.errors import (
    EffectUnavailableError,
    ModelBusyError,
    ModelRefusedError,
    ModelUnreachableError,
)
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

LATER = flow(
    """
    a: {call: test.echo, with: {value: 1}}
    bad:
      needs: a
      call: test.count
      with: {name: bad, value: "{{ a + 1 }}"}
      retry: {attempts: 4, backoff: {initial: 30s, factor: 2, jitter: 0}}
    after: {needs: bad, call: test.echo, with: {value: "{{ a + bad }}"}}
    """,
    more="outputs: {after: '{{ after }}'}",
)


def tried(name: str, retry: str, more: str = "") -> FlowVersion:
    return flow(
        f"{name}: {{call: test.count, with: {{name: {name}, value: 1}}, retry: {retry}{more}}}",
        more=f"outputs: {{o: '{{{{ {name} }}}}'}}",
    )


async def swept(system: System, seconds: float = 0) -> None:
    """Time passes, and the next tick comes."""
    system.world.clock.advance(seconds)
    await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()


def outcomes(step: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in step["ledger"]]


# -- in the request -----------------------------------------------------------------------------


async def test_a_short_wait_is_spent_in_the_request():
    calls.BROKEN.add("bad")
    system = System([tried("bad", "{attempts: 3, backoff: {initial: 2s, jitter: 0}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    before = system.world.clock.now()
    await system.pipeline.step("act")
    assert (system.world.clock.now() - before).total_seconds() == 1 + 2 + 4
    assert calls.SEEN["bad"] == 3
    await system.run()
    step = (await system.report())["steps"]["bad"]
    assert (step["status"], outcomes(step)) == ("failed", ["retried", "retried", "failed"])
    assert {attempt["error"]["code"] for attempt in step["ledger"]} == {"ActionFailed"}
    assert system.pipeline.deliveries["act"] == 1
    assert system.letter().error.code == "ActionFailed"


async def test_a_step_that_succeeds_when_tried_again_has_succeeded():
    answers = [ModelUnreachableError("gone"), ModelBusyError("429"), "at last"]
    version = flow("a: {prompt: say, with: {text: hi}, retry: {attempts: 3}}")
    system = System([version], model=ScriptedModel({"say": answers}))
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert (step["status"], step["output"]) == ("succeeded", {"text": "at last"})
    assert outcomes(step) == ["retried", "retried", "succeeded"]
    assert step["llm_calls"] == 3
    assert [attempt["error"] and attempt["error"]["code"] for attempt in step["ledger"]] == [
        "ModelUnreachable",
        "ModelBusy",
        None,
    ]
    assert system.pipeline.deliveries["generate"] == 1


async def test_a_passing_error_is_the_policys_and_fails_the_step_in_the_end():
    """Without a policy the broker would deliver it twenty times."""
    version = flow("a: {call: test.busy, retry: {attempts: 2}}")
    system = System([version])
    await system.start()
    report = await system.report()
    assert report["steps"]["a"]["error"]["code"] == "EffectUnavailable"
    assert outcomes(report["steps"]["a"]) == ["retried", "failed"]
    assert system.pipeline.deliveries["act"] == 1


@pytest.mark.parametrize(
    ("on", "times"), [("[ActionFailed]", 3), ("[StepTimeout]", 1), ("ActionFailed", 3)]
)
async def test_only_the_errors_that_are_named_are_retried(on: str, times: int):
    calls.BROKEN.add("bad")
    system = System([tried("bad", f"{{attempts: 3, on: {on}}}")])
    await system.start()
    assert calls.SEEN["bad"] == times


async def test_a_passing_error_that_is_not_named_is_delivered_again():
    system = System([flow("a: {call: test.busy, retry: {attempts: 2, on: [ActionFailed]}}")])
    await system.start()
    assert system.pipeline.deliveries["act"] == 20
    assert (await system.report())["steps"]["a"]["error"]["code"] == "DeliveriesExhausted"


async def test_bad_declarations_are_not_tried_again():
    version = flow('a: {call: test.echo, with: {value: "{{ event.data.x.y }}"}, retry: {}}')
    system = System([version])
    await system.start({})
    assert outcomes((await system.report())["steps"]["a"]) == ["failed"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_between_tries_forgets_none_of_them(point: Point):
    calls.BROKEN.add("bad")
    system = System([tried("bad", "{attempts: 4, backoff: {initial: 1s}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "bad")
    await system.run()
    step = (await system.report())["steps"]["bad"]
    assert outcomes(step).count("retried") == 3
    assert outcomes(step)[-1] == "failed"
    assert calls.SEEN["bad"] == 4 + (point == "worked")


async def test_a_redrive_gives_a_step_its_tries_again():
    calls.BROKEN.add("bad")
    system = System([tried("bad", "{attempts: 2}")])
    await system.start()
    await system.redrive()
    step = (await system.report())["steps"]["bad"]
    assert outcomes(step) == ["retried", "failed", "retried", "failed"]


# -- later --------------------------------------------------------------------------------------


async def test_a_long_wait_holds_no_compute_and_ends_with_a_tick():
    calls.BROKEN.add("bad")
    system = System([LATER])
    await system.start()
    step = (await system.report())["steps"]["bad"]
    assert (step["status"], calls.SEEN["bad"]) == ("pending", 1)
    assert step["due"] is not None
    await swept(system, 10)
    assert calls.SEEN["bad"] == 1  # not yet
    await swept(system, 30)
    assert calls.SEEN["bad"] == 2
    calls.BROKEN.clear()
    await swept(system, 10)
    assert calls.SEEN["bad"] == 2  # the second wait is longer
    await swept(system, 60)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"after": 3})
    assert outcomes(report["steps"]["bad"]) == ["retried", "retried", "succeeded"]
    assert "due" not in report["steps"]["bad"]


async def test_what_is_due_is_sent_once_however_many_ticks_come():
    calls.BROKEN.add("bad")
    system = System([LATER])
    await system.start()
    system.world.clock.advance(40)
    for _ in range(3):
        await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()
    assert calls.SEEN["bad"] == 2


async def test_missed_ticks_lose_nothing():
    calls.BROKEN.add("bad")
    system = System([LATER])
    await system.start()
    calls.BROKEN.clear()
    await swept(system, 86_400)
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("point", ["committed", "emitted", "worked"])
async def test_a_repeated_message_does_not_bring_a_retry_forward(point: Point):
    calls.BROKEN.add("bad")
    system = System([LATER])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("act")
    [waiting] = system.pipeline.collect()
    await system.run()
    assert calls.SEEN["bad"] == 1
    await system.pipeline.deliver(waiting)
    await system.killed_on(waiting, point)
    await system.run()
    assert calls.SEEN["bad"] == 1


async def test_a_step_of_a_run_that_has_failed_is_not_tried_again_until_it_is_redriven():
    calls.BROKEN.update({"bad", "worse"})
    version = flow(
        """
        bad:
          call: test.count
          with: {name: bad, value: 1}
          retry: {backoff: {initial: 30s}}
        worse: {call: test.count, with: {name: worse, value: 2}, timeout: 5s}
        end: {needs: [bad, worse], call: test.echo, with: {value: "{{ bad + worse }}"}}
        """,
        more="outputs: {end: '{{ end }}'}",
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at("emitted", "bad")
    await system.run()
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await swept(system, 60)
    assert calls.SEEN["bad"] == 1
    await system.redrive()
    assert (await system.report())["outputs"] == {"end": 3}
    assert calls.SEEN["bad"] == 2


async def test_items_are_put_off_and_taken_up_one_by_one():
    calls.BROKEN.add("i1")
    version = flow(
        """
        each:
          foreach: {in: range(4), max_parallel: 2}
          call: test.count
          with: {name: "i{{ item }}", value: "{{ item * 10 }}"}
          retry: {attempts: 3, backoff: {initial: 20s}}
        """,
        more="outputs: {each: '{{ each }}'}",
    )
    system = System([version])
    await system.start()
    each = (await system.report())["steps"]["each"]
    assert each["summary"] == {"size": 4, "pending": 2, "succeeded": 2}
    calls.BROKEN.clear()
    await swept(system, 60)
    assert (await system.report())["outputs"] == {"each": [0, 10, 20, 30]}
    assert calls.SEEN["i1"] == 2


async def test_a_prompt_that_is_put_off_is_rendered_and_asked_again():
    answers = [ModelRefusedError("no"), "yes"]
    version = flow("a: {prompt: say, with: {text: hi}, retry: {backoff: {initial: 1m}}}")
    system = System([version], model=ScriptedModel({"say": answers}))
    await system.start()
    await swept(system, 90)
    step = (await system.report())["steps"]["a"]
    assert (step["output"], outcomes(step)) == ({"text": "yes"}, ["retried", "succeeded"])
    assert system.pipeline.deliveries["compose"] == 2


# -- what it costs ------------------------------------------------------------------------------


async def test_a_step_with_a_policy_costs_no_more_where_nothing_fails():
    version = tried("good", "{attempts: 5}", ", fallback: {value: 1}")
    system = System([version])
    await system.start()
    writes = system.world.documents.writes
    assert writes[f"runs/{system.run_ids()[0]}/steps/good"] == 2


async def test_each_try_costs_one_write_and_one_that_is_put_off_two_more():
    calls.BROKEN.add("bad")
    system = System([tried("bad", "{attempts: 3, backoff: {initial: 8s, factor: 2, jitter: 0}}")])
    await system.start()
    path = f"runs/{system.run_ids()[0]}/steps/bad"
    assert system.world.documents.writes[path] == 1 + 1 + 1  # claim, the first retry, put off
    await swept(system, 20)
    assert system.world.documents.writes[path] == 3 + 1 + 1 + 1  # sent, claimed, failed


async def test_an_effect_that_says_come_back_later_is_only_the_policys_where_there_is_one():
    version = flow("a: {action: http.request, with: {url: 'https://example.com'}}")
    system = System([version])
    system.effects.errors.append(EffectUnavailableError("503"))
    await system.start()
    assert outcomes((await system.report())["steps"]["a"]) == ["released", "succeeded"]
