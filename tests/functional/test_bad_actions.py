"""Actions and calls that cannot be carried out fail their step with one clear error."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.step import ActionStep
from shared.domain.version import FlowVersion
from shared.errors import ActionFailedError, EffectUnavailableError
from tests.functional import calls
from tests.functional.system import System, flow


async def failed(version: FlowVersion, code: str, data: Any = None) -> str:
    """Runs a flow whose step `a` fails at once for good; returns the message."""
    system = System([version])
    await system.start(data)
    report = await system.report()
    step = report["steps"]["a"]
    assert (report["status"], step["status"], step["error"]["code"]) == ("failed", "failed", code)
    assert report["error"] == step["error"]
    assert step["attempts"] == 1
    assert system.pipeline.deliveries["act"] == 1
    assert system.letter().error.message == step["error"]["message"]
    assert system.letter().step == "a"
    return step["error"]["message"]


def act(name: str, arguments: str) -> FlowVersion:
    return flow(f"a: {{action: {name}, with: {arguments}}}")


async def test_an_action_that_does_not_exist_is_refused():
    version = act("log.write", "{message: x}")
    step = ActionStep(action="no.such", **{"with": {}})
    unknown = version.flow.model_copy(update={"steps": {"a": step}})
    told = await failed(FlowVersion(flow=unknown), "ActionInvalid")
    assert "there is no action 'no.such'; there are slack.post" in told


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("log.write", "{message: [a]}", "message: Input should be a valid string"),
        ("email.send", "{to: nobody, subject: s, text: t}", "'nobody' is not an e-mail address"),
        ("email.send", '{to: a@b.c, subject: "{{ event.data.evil }}", text: t}', "subject"),
        ("http.request", "{url: 'ftp://x/'}", "url: URL scheme should be 'http' or 'https'"),
        ("http.request", "{url: 'https://x/', headers: {a: '{{ event.data.evil }}'}}", "headers.a"),
        ("slack.post", "{channel: '', text: t}", "channel"),
        ("firestore.set", "{path: tickets, data: {}}", "does not name a document"),
        ("firestore.set", "{path: runs/x, data: {}}", "collection 'runs' belongs to Segue"),
        ("firestore.set", "{path: 'events/x', data: {}}", "collection 'events' belongs to Segue"),
        ("firestore.set", "{path: dead_letters/x/y/z, data: {}}", "belongs to Segue"),
        ("firestore.set", "{path: a/../b/c, data: {}}", "Firestore reserves"),
        ("event.publish", "{type: ''}", "type"),
        ("event.publish", "{type: 'a b'}", "type"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(name: str, arguments: str, told: str):
    data = {"n": 1, "evil": "x\r\nBcc: all@example.com"}
    assert told in await failed(act(name, arguments), "ActionInvalid", data)


@pytest.mark.parametrize(
    "collection", ["events", "runs", "flows", "dead_letters", "blobs", "prompts", "timers"]
)
async def test_no_flow_can_write_into_segues_collections(collection: str):
    version = act("firestore.set", f"{{path: {collection}/mine, data: {{x: 1}}}}")
    system = System([version])
    await system.start()
    assert f"{collection}/mine" not in system.world.documents.documents
    assert (await system.report())["status"] == "failed"


async def test_a_document_over_one_mebibyte_is_refused():
    version = flow("""
        a: {action: firestore.set, with: {path: big/1, data: {x: "{{ event.data.x * 2 }}"}}}
    """)
    told = await failed(version, "RecordTooLarge", {"x": "y" * 600_000})
    assert "big/1: 1,2" in told


async def test_a_document_that_firestore_refuses_fails_the_step():
    version = act("firestore.set", "{path: odd/1, data: {x: [[1]]}}")
    assert "a list in a list" in await failed(version, "ActionFailed")


async def test_a_call_that_raises_fails_the_step_with_what_it_said():
    calls.BROKEN.add("a")
    version = flow("a: {call: test.count, with: {name: a}}")
    assert "test.count raised RuntimeError: a is broken" in await failed(version, "ActionFailed")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("{call: test.sync, with: {value: '{{ event.data }}'}}", "value: Input should be a valid"),
        ("{call: test.sync}", "value: Missing required argument"),
        ("{call: test.sync, with: {value: 1, other: 2}}", "other: Unexpected keyword argument"),
        ("{call: no.such}", "no function is registered as 'no.such'; there are: "),
    ],
)
async def test_a_call_that_does_not_fit_is_refused(call: str, told: str):
    assert told in await failed(flow(f"a: {call}"), "ActionInvalid", "text")


@pytest.mark.parametrize("what", ["object", "bytes", "surrogate"])
async def test_a_call_that_returns_no_json_fails_the_step(what: str):
    version = flow(f"a: {{call: test.odd, with: {{what: {what}}}}}")
    told = await failed(version, "ActionFailed")
    assert "test.odd returned what JSON cannot hold" in told


async def test_a_step_over_its_own_timeout_fails_for_good():
    told = await failed(flow("a: {timeout: 10ms, call: test.hang}"), "StepTimeout")
    assert told.startswith("step 'a': 0.01 s")


async def test_an_effect_that_is_unavailable_is_tried_again():
    system = System([act("slack.post", "{channel: '#a', text: hi}")])
    system.effects.errors.extend(EffectUnavailableError("429") for _ in range(3))
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert (step["status"], step["attempts"]) == ("succeeded", 4)
    assert len(system.effects.performed) == 1


async def test_an_effect_shows_the_same_key_on_every_attempt():
    class Forgetful(EffectUnavailableError):
        """Done, but nobody was told."""

    system = System([act("http.request", "{url: 'https://example.com/'}")])
    system.effects.errors.append(Forgetful("lost"))
    keys = []
    original = system.effects.request_http

    async def request(action: Any, key: str) -> Any:
        keys.append(key)
        return await original(action, key)

    system.effects.request_http = request
    await system.start()
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_an_effect_that_fails_for_good_fails_the_step():
    system = System([act("slack.post", "{channel: '#a', text: hi}")])
    system.effects.errors.append(ActionFailedError("channel_not_found"))
    await system.start()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "ActionFailed")
    assert "channel_not_found" in report["error"]["message"]


async def test_an_effect_that_is_never_available_ends_as_a_letter_that_names_it():
    system = System([flow("a: {call: test.busy}")])
    await system.start()
    report = await system.report()
    assert report["error"]["code"] == "DeliveriesExhausted"
    assert "the last attempt: the CRM says 503" in report["error"]["message"]
    assert report["steps"]["a"]["attempts"] == 20
    assert system.letter().deliveries == 20


async def test_a_defect_in_segue_itself_is_retried_and_then_kept():
    system = System([act("log.write", "{message: hi}")])

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    system.world.telemetry.log = broken  # a port that breaks its promise never to raise
    await system.publish("thing.happened")
    for _ in range(25):
        await system.pipeline.step()
    del system.world.telemetry.log
    await system.run()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "DeliveriesExhausted")
    crashed = [one for one in system.world.telemetry.reports if one.outcome == "crashed"]
    assert len(crashed) >= 20
    assert "ZeroDivisionError" in crashed[0].details["stack_trace"]
