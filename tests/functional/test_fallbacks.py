"""What takes the place of a step that fails: a value, another prompt, model or step."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.envelope import ModelRequest
from shared.errors import ModelBusyError, ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import System, flow, prompt
from tests.functional.test_retries import outcomes


async def test_a_value_takes_the_place_of_an_output():
    version = flow(
        """
        a: {call: test.echo, with: {value: 2}}
        bad: {needs: a, call: test.fail, fallback: {value: {n: "{{ a }}", from: fallback}}}
        after: {needs: bad, call: test.echo, with: {value: "{{ bad.n + 1 }}"}}
        """,
        more="outputs: {bad: '{{ bad }}', after: '{{ after }}'}",
    )
    system = System([version])
    await system.start()
    report = await system.report()
    assert report["outputs"] == {"bad": {"n": 2, "from": "fallback"}, "after": 3}
    step = report["steps"]["bad"]
    assert (step["status"], step["fallback"], outcomes(step)) == ("succeeded", True, ["failed"])
    assert system.letters() == []


async def test_another_prompt_takes_the_place_of_one_that_is_refused():
    version = flow(
        "a: {prompt: risky, with: {text: hi}, retry: {attempts: 2}, fallback: {prompt: mild}}",
        prompt("risky", "risky {{ text }}"),
        prompt("mild", "mild {{ text }} {{ event.data.name }}"),
    )
    model = ScriptedModel({"risky": ModelRefusedError("no")}, default="well")
    system = System([version], model=model)
    await system.start({"name": "Ada"})
    step = (await system.report())["steps"]["a"]
    assert (step["output"], step["prompt"]["name"]) == ({"text": "well"}, "mild")
    assert outcomes(step) == ["retried", "retried", "succeeded"]
    assert system.asked() == ["a: risky hi", "a: risky hi", "a: mild hi Ada"]


async def test_another_model_takes_the_place_of_one_that_is_busy():
    def answer(request: ModelRequest) -> Any:
        return "yes" if request.model == "spare" else ModelBusyError("429")

    version = flow("a: {prompt: say, with: {text: hi}, fallback: {model: spare}}")
    system = System([version], model=ScriptedModel(default=answer))
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert (step["output"], step["model"]) == ({"text": "yes"}, "spare")
    assert system.pipeline.deliveries["generate"] == 1


@pytest.mark.parametrize("broken", [True, False])
@pytest.mark.parametrize("seed", range(3))
async def test_another_step_stands_in_for_one_that_fails(seed: int, *, broken: bool):
    version = flow(
        """
        a: {call: test.echo, with: {value: 3}}
        bad: {needs: a, call: test.count, with: {name: bad, value: good}, fallback: {step: spare}}
        spare: {call: test.count, with: {name: spare, value: "spare {{ a }}"}}
        other: {call: test.echo, with: {value: other}}
        after: {needs: bad, call: test.echo, with: {value: "{{ bad }}"}}
        both: {needs: [bad, other], call: test.echo, with: {value: "{{ bad }} {{ other }}"}}
        """,
        more="outputs: {after: '{{ after }}', both: '{{ both }}', bad: '{{ bad }}'}",
    )
    if broken:
        calls.BROKEN.add("bad")
    system = System([version], seed=seed)
    await system.start()
    report = await system.report()
    bad = "spare 3" if broken else "good"
    assert report["outputs"] == {"after": bad, "both": f"{bad} other", "bad": bad}
    assert report["steps"]["spare"]["status"] == ("succeeded" if broken else "skipped")
    assert calls.SEEN["spare"] == int(broken)
    assert system.letters() == []


async def test_where_the_fallback_fails_too_the_step_has_failed():
    version = flow(
        """
        a: {prompt: say, with: {text: hi}, fallback: {model: spare}, on_error: continue}
        b: {call: test.fail, fallback: {step: c}}
        c: {call: test.fail}
        """
    )
    system = System([version], model=ScriptedModel(default=ModelRefusedError("never")))
    await system.start()
    report = await system.report()
    assert report["status"] == "failed"
    assert report["error"]["step"] == "c"
    assert outcomes(report["steps"]["a"]) == ["retried", "failed"]
    assert report["steps"]["a"]["handled"] is True


async def test_a_fallback_that_cannot_be_filled_in_fails_the_step():
    version = flow('a: {call: test.fail, fallback: {value: "{{ event.data.x.y }}"}}')
    system = System([version])
    await system.start({})
    error = (await system.report())["error"]
    assert (error["code"], "`fallback`" in error["message"]) == ("Expression", True)


async def test_a_value_takes_the_place_of_what_fails_where_nobody_holds_it():
    version = flow(
        """
        busy: {call: test.busy, retry: {on: [ActionFailed]}, fallback: {value: none}}
        unrendered:
          prompt: say
          with: {text: "{{ event.data.x.y }}"}
          fallback: {value: {text: plain}}
        """,
        more="outputs: {busy: '{{ busy }}', text: '{{ unrendered.text }}'}",
    )
    system = System([version])
    await system.start({})
    report = await system.report()
    assert (report["status"], report["outputs"]) == (
        "succeeded",
        {"busy": "none", "text": "plain"},
    )
    assert system.letters() == []


async def test_a_fallback_of_items_is_each_items_own():
    version = flow(
        """
        each:
          foreach: range(3)
          call: test.fail_if
          with: {broken: "{{ item == 1 }}", value: "{{ item }}"}
          fallback: {value: "no {{ item }}"}
        """,
        more="outputs: {each: '{{ each }}'}",
    )
    system = System([version])
    await system.start()
    assert (await system.report())["outputs"] == {"each": [0, "no 1", 2]}
