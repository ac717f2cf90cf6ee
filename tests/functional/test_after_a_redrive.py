"""What duplicates, refusals and repeated poison do around a redrive."""

from __future__ import annotations

import pytest

from shared.delivery.letters.redrive import redrive
from shared.domain.envelope import Message
from shared.domain.records import RunRecord, run_path
from shared.errors import ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, flow

ONE = flow("a: {prompt: say, with: {text: hi}}")


async def test_an_old_dead_letter_delivered_again_does_not_fail_the_redriven_run():
    model = ScriptedModel(default=[ModelRefusedError("no"), "yes"])
    system = System([ONE], model=model)
    await system.start()
    [old] = [m for topic, _, m in system.world.messages.published if topic == "generate-dead"]
    await system.redrive()
    await system.world.messages.publish("generate-dead", [old])
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_the_same_poison_again_after_a_redrive_is_a_letter_of_its_own():
    system = System([ONE])
    poison = Message(b"{bad", {"ce-type": EVENT})
    await system.world.messages.publish("events", [poison])
    await system.run()
    [first] = system.letters()
    await redrive(first.letter_id, system.pipeline.deps())
    await system.run()
    await system.world.messages.publish("events", [poison])
    await system.run()
    statuses = sorted(letter.status.value for letter in system.letters())
    assert statuses == ["open", "open", "redriven"]


async def test_redriving_a_refused_run_by_its_id_asks_what_refused_it_again():
    guarded = flow(
        "a: {prompt: say, with: {text: hi}}",
        more=f"on: {{event: {EVENT}, where: event.data.n > 3}}",
    )
    system = System([guarded])
    await system.start({})
    run_id = system.run_ids()[0]
    await redrive(run_id, system.pipeline.deps())
    await system.run()
    report = await system.report(run_id)
    assert (report["status"], report["error"]["code"]) == ("failed", "Expression")
    assert not system.world.model.calls


@pytest.mark.parametrize(
    "attributes",
    [{"__odd__": "x"}, {"segue-redrive": "9" * 30}, {"segue-hops": "x"}],
    ids=["reserved name", "absurd count", "no count"],
)
async def test_odd_attributes_do_not_keep_an_event_from_its_run(attributes: dict[str, str]):
    system = System([ONE])
    message = Message(b"{}", {"ce-type": EVENT, "ce-id": "odd", **attributes})
    await system.world.messages.publish("events", [message])
    await system.run()
    assert (await system.report())["status"] == "succeeded"
    found = await system.world.documents.get(run_path(system.run_ids()[0]))
    assert found is not None
    assert isinstance(found.data["extensions"], str)
    assert "__odd__" not in attributes or RunRecord.of(found.data).extensions == attributes


async def test_flows_that_start_each_other_stop_after_a_bounded_number_of_events():
    """No check sees a loop over computed types; the hop count does."""
    loop = flow('a: {action: event.publish, with: {type: "{{ event.type }}", data: {}}}')
    system = System([loop])
    await system.start()
    assert 20 <= len(system.run_ids()) <= 30
    [letter] = system.letters()
    assert "loop" in letter.error.message


async def test_an_error_of_any_length_is_told_within_bounds():
    model = ScriptedModel(default=ModelRefusedError("x" * 700_000))
    system = System([ONE], model=model)
    await system.start()
    report = await system.report()
    assert report["error"]["code"] == "ModelRefused"
    assert len(report["error"]["message"]) < 3_000
