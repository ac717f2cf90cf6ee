"""Conditions, templates and schemas that fail end the run with one clear error each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional import calls
from tests.functional.system import System, flow, prompt

GOOD = flow("a: {call: test.count, with: {name: good}}", name="good")


async def failed(system: System, code: str, step: str | None, data: Any = None) -> str:
    """Runs an event through a flow that fails beside one that does not; returns the message."""
    await system.start(data, ce_id="e1")
    [bad] = [run for run in system.run_ids() if run.startswith("thing-")]
    report = await system.report(bad)
    assert (report["status"], report["error"]["code"]) == ("failed", code)
    assert report["error"]["step"] == step
    assert report["finished_at"] is not None
    letter = system.letter()
    assert (letter.error.code, letter.run_id, letter.step) == (code, bad, step)
    assert letter.error.message == report["error"]["message"]
    assert calls.SEEN["good"] == 1
    return report["error"]["message"]


def beside_a_good_one(steps: str, *prompts: Any, more: str = "") -> System:
    return System([flow(steps, *prompts, more=more), GOOD])


async def test_data_that_breaks_the_input_schema_is_a_failed_run():
    more = "input: {type: object, required: [n], properties: {n: {type: integer}}}"
    system = beside_a_good_one("a: {call: test.echo}", more=more)
    told = await failed(system, "InputInvalid", None, {"n": "one"})
    assert "event.data at $.n: must be of type integer" in told
    assert system.letter().data == b'{"n": "one"}'
    assert system.letter().stage == "route"


async def test_a_trigger_condition_that_fails_is_a_failed_run():
    system = beside_a_good_one(
        "a: {call: test.echo}", more="on: {event: '*', where: event.data.n > 1}"
    )
    told = await failed(system, "Expression", None, {"m": 2})
    assert "`event.data.n > 1` failed" in told


@pytest.mark.parametrize("steps", ["a: {when: event.data.n > 1, call: test.echo}"])
async def test_a_first_step_whose_condition_fails_fails_the_run(steps: str):
    told = await failed(beside_a_good_one(steps), "Expression", "a", {"m": 2})
    assert told.startswith("step 'a', `when`: `event.data.n > 1` failed")


async def test_a_later_step_whose_condition_fails_fails_the_run():
    system = beside_a_good_one("""
        a: {call: test.echo, with: {value: {x: 1}}}
        b: {needs: a, when: a.y.z, call: test.count, with: {name: b}}
    """)
    assert "`a.y.z` failed" in await failed(system, "Expression", "b")
    assert calls.SEEN["b"] == 0


async def test_a_join_whose_condition_fails_fails_the_run():
    system = beside_a_good_one("""
        a: {call: test.echo, with: {value: 1}}
        b: {call: test.echo, with: {value: 2}}
        c: {needs: [a, b], when: a / 0 > b, prompt: say, with: {text: x}}
    """)
    assert "ZeroDivisionError" in await failed(system, "Expression", "c")
    assert system.letter().stage == "compose"
    assert system.model.calls == []


async def test_a_template_that_fails_names_prompt_and_variable():
    bad = prompt("bad", "{{ event.data.customer.name }}")
    system = beside_a_good_one("a: {prompt: bad}", bad)
    told = await failed(system, "Template", "a", {})
    assert "prompt bad (body): 'dict object' has no attribute 'customer'" in told
    assert system.pipeline.deliveries["compose"] == 1


async def test_an_argument_that_fails_names_its_expression():
    system = beside_a_good_one("a: {prompt: say, with: {text: 'so {{ event.data.a.b }}'}}")
    assert "`so {{ event.data.a.b }}` failed" in await failed(system, "Expression", "a", {})


async def test_arguments_that_break_the_prompts_input_schema_are_refused():
    strict = prompt("strict", "{{ n }}", input={"properties": {"n": {"type": "integer"}}})
    system = beside_a_good_one("a: {prompt: strict, with: {n: '{{ event.data.n }}'}}", strict)
    told = await failed(system, "PromptInputInvalid", "a", {"n": "one"})
    assert "prompt strict: `with` at $.n: must be of type integer" in told
    assert system.model.calls == []


async def test_a_template_cannot_leave_its_sandbox():
    bad = prompt("bad", "{{ event.__class__.__mro__ }}")
    system = beside_a_good_one("a: {prompt: bad}", bad)
    assert "SecurityError" in await failed(system, "Template", "a", {})


async def test_an_output_that_is_no_json_fails_the_run_clearly():
    system = beside_a_good_one("a: {call: test.echo}", more="outputs: {n: '{{ event.data.get }}'}")
    await system.start({"x": 1}, ce_id="e1")
    [bad] = [run for run in system.run_ids() if run.startswith("thing-")]
    report = await system.report(bad)
    assert (report["status"], report["error"]["code"]) == ("failed", "Expression")
    assert "the run's outputs are no JSON" in report["error"]["message"]
    assert system.pipeline.deliveries["act"] == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{{ event.data.names | map('upper') }}", ["A", "B"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ event.data.items }}", [1]),
        ("{{ event.data.values | length }}", 2),
    ],
)
async def test_an_expression_gives_what_its_author_means(expression: str, value: Any):
    steps = f'a: {{call: test.echo, with: {{value: "{expression}"}}}}'
    system = System([flow(steps, more=f'outputs: {{v: "{expression}"}}')])
    await system.start({"names": ["a", "b"], "items": [1], "values": [1, 2]})
    report = await system.report()
    assert report["steps"]["a"]["output"] == value
    assert report["outputs"] == {"v": value}
