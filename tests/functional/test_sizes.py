"""Small values ride along, large ones travel by reference, too large ones fail and say so."""

from __future__ import annotations

import json

import pytest

from shared.domain.envelope import INLINE_BYTES, Message, decode
from shared.domain.events import MAX_DATA_BYTES
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, flow, prompt

LARGE = 300 * 1024


def sent_to(system: System, topic: str) -> list[Message]:
    return [message for name, _, message in system.world.messages.published if name == topic]


def texts(*sizes: int, then: str) -> System:
    """A step for each size, all joined by `tip`."""
    steps = [f"s{n}: {{call: test.text, with: {{size: {size}}}}}" for n, size in enumerate(sizes)]
    names = [f"s{n}" for n in range(len(sizes))]
    tip = f"tip: {{needs: [{', '.join(names)}], call: test.echo, with: {{value: '{then}'}}}}"
    return System([flow("\n".join([*steps, tip]), more="outputs: {tip: '{{ tip }}'}")])


async def test_a_small_output_rides_along_and_costs_no_read():
    system = texts(1000, then="{{ s0 | length }}")
    await system.start()
    [run_id] = system.run_ids()
    [_, tip] = sent_to(system, "act")
    assert decode(tip).context.inline["s0"] == "x" * 1000
    assert system.world.documents.reads[f"runs/{run_id}/steps/s0"] == 0


async def test_a_large_output_travels_by_reference_and_arrives_whole():
    system = texts(LARGE, then="{{ s0 | length }}")
    await system.start()
    [_, tip] = sent_to(system, "act")
    assert decode(tip).context.stored == ("s0",)
    assert len(tip.data) < 2000
    assert (await system.report())["outputs"] == {"tip": LARGE}


async def test_only_the_largest_outputs_of_a_join_travel_by_reference():
    system = texts(200_000, 1000, 100_000, then="{{ s0 | length + s1 | length + s2 | length }}")
    await system.start()
    tip = sent_to(system, "act")[-1]
    assert decode(tip).context.stored == ("s0",)
    assert set(decode(tip).context.inline) == {"s1", "s2"}
    assert (await system.report())["outputs"] == {"tip": 301_000}


async def test_a_large_output_goes_on_through_steps_that_do_not_use_it():
    steps = f"""
        a: {{call: test.text, with: {{size: {LARGE}}}}}
        b: {{needs: a, call: test.echo, with: {{value: 1}}}}
        c: {{needs: b, call: test.echo, with: {{value: "{{{{ a | length + b }}}}"}}}}
    """
    system = System([flow(steps, more="outputs: {n: '{{ c }}'}")])
    await system.start()
    assert (await system.report())["outputs"] == {"n": LARGE + 1}


async def test_what_nobody_uses_later_does_not_travel():
    steps = """
        a: {call: test.text, with: {size: 5000}}
        b: {needs: a, call: test.echo, with: {value: 1}}
    """
    system = System([flow(steps)])
    await system.start({"big": "y" * 5000})
    assert all(len(message.data) < 2000 for message in sent_to(system, "act"))


async def test_an_output_over_the_limit_fails_the_step_clearly():
    system = texts(MAX_DATA_BYTES + 1, then="1")
    await system.start()
    report = await system.report()
    step = report["steps"]["s0"]
    assert (report["status"], step["status"]) == ("failed", "failed")
    assert step["error"]["code"] == "OutputTooLarge"
    assert "921,603 bytes; the limit is 921,600" in step["error"]["message"]
    assert step["output"] is None
    assert system.letter().error.code == "OutputTooLarge"


async def test_run_outputs_over_the_limit_fail_the_run_clearly():
    steps = "a: {call: test.text, with: {size: 800000}}\nb: {call: test.text, with: {size: 800000}}"
    system = System([flow(steps, more="outputs: {a: '{{ a }}', b: '{{ b }}'}")])
    await system.start()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "OutputTooLarge")
    assert set((await system.statuses()).values()) == {"succeeded"}


async def test_a_large_prompt_is_stored_and_the_model_gets_all_of_it():
    big = prompt("big", "{{ event.data.text }} and {{ event.data.text }}")
    system = System([flow("a: {prompt: big}", big)], model=ScriptedModel(default="ok"))
    await system.start({"text": "z" * 200_000})
    [request] = system.model.calls
    assert request.messages[0][1] == "z" * 200_000 + " and " + "z" * 200_000
    [message] = sent_to(system, "generate")
    blob = decode(message).task.blob
    assert len(message.data) < INLINE_BYTES
    stored = await system.pipeline.deps().blobs.get(blob)
    assert json.loads(stored)["messages"][0][1] == request.messages[0][1]
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("text", ["x", "é", "\U0001f600"])
async def test_an_event_of_exactly_the_limit_runs(text: str):
    value = text * ((MAX_DATA_BYTES - 2) // len(text.encode()))
    data = f'"{value}"'.encode().ljust(MAX_DATA_BYTES)
    system = System([flow("a: {call: test.echo, with: {value: '{{ event.data | length }}'}}")])
    await system.send("events", data, {"ce-type": EVENT})
    await system.run()
    report = await system.report()
    assert report["steps"]["a"]["output"] == len(value)
    assert report["status"] == "succeeded"


async def test_a_dense_event_of_the_limit_runs_too():
    data = b"[" + b",".join([b"1"] * (MAX_DATA_BYTES // 2 - 1)) + b"]"
    system = System([flow("a: {call: test.echo, with: {value: '{{ event.data | length }}'}}")])
    await system.send("events", data, {"ce-type": EVENT})
    await system.run()
    assert (await system.report())["steps"]["a"]["output"] == MAX_DATA_BYTES // 2 - 1


async def test_an_event_beyond_the_limit_is_a_dead_letter_with_its_bytes():
    data = b'"' + b"x" * (MAX_DATA_BYTES - 1) + b'"'
    system = System([flow("a: {call: test.echo}")])
    await system.send("events", data, {"ce-type": EVENT, "tenant": "t1"})
    await system.run()
    letter = system.letter()
    assert letter.error.code == "EventTooLarge"
    assert (letter.stage, letter.size) == ("route", len(data))
    assert letter.attributes == {"ce-type": EVENT, "tenant": "t1"}
    assert await system.pipeline.deps().blobs.get(letter.blob) == data
    assert system.run_ids() == []


async def test_a_message_of_ten_megabytes_is_kept_in_pieces():
    data = bytes(range(250)) * 40_000
    system = System([flow("a: {call: test.echo}")])
    await system.send("events", data, {"ce-type": EVENT})
    await system.run()
    letter = system.letter()
    assert (letter.data, letter.size) == (None, 10_000_000)
    assert await system.pipeline.deps().blobs.get(letter.blob) == data
    assert system.pipeline.deliveries["bury"] == 1
