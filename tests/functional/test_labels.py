"""A label that is moved takes effect with the next run; a run keeps what it was opened with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.prompts.records import HEADS, head_path, version_path
from shared.domain.records import LetterStatus, RunRecord
from shared.domain.version import PromptVersion
from shared.errors import ModelRefusedError, StoreUnavailableError
from shared.ports import Document, Put, Query
from shared.prompting.pushing import By, PromptChanges
from shared.testing.memory import MemoryStore, ScriptedModel
from tests.functional.system import EVENT, System, flow, prompt

BUNDLED = prompt("said", "Bundled {{ text }}")
BETTER = prompt("said", "Better {{ text }}")
STEPS = """
    a: {prompt: said, with: {text: one}}
    b: {needs: a, prompt: said, with: {text: two}}
"""
OUTPUTS = "outputs: {b: '{{ b.text }}'}"
FLOW = flow(STEPS, BUNDLED, more=OUTPUTS)
STAGED = flow(STEPS.replace("said,", "said@staging,"), BUNDLED, more=OUTPUTS)
_START = datetime(2026, 1, 1, tzinfo=UTC)


class Registry:
    """What an operator does with the registry of a system."""

    def __init__(self, system: System) -> None:
        self.changes = PromptChanges(system.world.documents)
        self._clock = system.world.clock
        self._moves = 0

    def by(self) -> By:
        self._moves += 1
        return By("ada", _START + timedelta(microseconds=self._moves))

    async def push(self, one: PromptVersion, label: str | None = "production") -> int:
        return (await self.changes.push(one, self.by(), label=label)).version.number

    def wait(self) -> None:
        """Until every instance reads labels again."""
        self._clock.advance(5)


def system_of(*flows, **about) -> tuple[System, Registry]:
    system = System(flows, **about)
    return system, Registry(system)


async def said_of(system: System, ce_id: str) -> str:
    """What the run of a new event says in the end."""
    await system.start(ce_id=ce_id)
    runs = {run.event_id: run for run in system.stored("runs", RunRecord)}
    assert runs[ce_id].error is None, runs[ce_id].error
    return runs[ce_id].outputs["b"]


async def test_a_moved_label_takes_effect_without_a_deployment_and_rolls_back():
    system, registry = system_of(FLOW)
    assert await said_of(system, "e1") == "b(Bundled two)"
    await registry.push(BETTER, label=None)
    registry.wait()
    assert await said_of(system, "e2") == "b(Bundled two)"
    await registry.changes.move("said", "production", 1, registry.by())
    registry.wait()
    assert await said_of(system, "e3") == "b(Better two)"
    await registry.changes.roll_back("said", "production", registry.by())
    registry.wait()
    assert await said_of(system, "e4") == "b(Bundled two)"


async def test_a_run_keeps_what_it_was_opened_with_when_the_label_moves():
    system, registry = system_of(FLOW)
    await registry.push(BETTER)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await registry.push(prompt("said", "Best {{ text }}"))
    registry.wait()
    await system.run()
    report = await system.report()
    assert report["outputs"] == {"b": "b(Better two)"}
    assert report["steps"]["b"]["prompt"]["version"] == BETTER.version


async def test_a_redelivery_after_a_crash_sends_what_the_run_was_opened_with():
    system, registry = system_of(FLOW)
    await system.publish(EVENT)
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), "committed")
    await registry.push(BETTER)
    registry.wait()
    await system.run()
    report = await system.report()
    assert (report["outputs"], report["flow_version"]) == ({"b": "b(Bundled two)"}, FLOW.version)


async def test_a_flow_may_name_a_label_a_number_or_a_hash():
    exact = flow(STEPS.replace("said,", "said@1,"), BUNDLED, more=OUTPUTS, name="exact")
    hashed = flow(STEPS.replace("said,", f"said@{BETTER.version},"), BUNDLED, name="hashed")
    own = flow(STEPS.replace("said,", f"said@{BUNDLED.version},"), BUNDLED, name="own")
    system, registry = system_of(STAGED, exact, hashed, own)
    await registry.push(BETTER, label="staging")
    await registry.push(prompt("said", "Best {{ text }}"))
    await system.start()
    said = {one.labels["segue-flow"]: one.messages[0][1] for one in system.model.calls}
    assert said == {
        "thing": "Better two",
        "exact": "Better two",
        "hashed": "Better two",
        "own": "Bundled two",
    }


async def test_a_label_that_is_not_set_leaves_the_bundled_copy_and_a_warning():
    system, registry = system_of(STAGED)
    assert await said_of(system, "e1") == "b(Bundled two)"
    assert await said_of(system, "e2") == "b(Bundled two)"
    assert warnings(system) == ["label 'staging' of prompt 'said' is not set"]
    await registry.push(BETTER, label="staging")
    registry.wait()
    assert await said_of(system, "e3") == "b(Better two)"


async def test_a_version_that_was_never_pushed_is_a_clear_error_and_goes_on_when_it_is_there():
    system, registry = system_of(flow(STEPS.replace("said,", "said@1,"), BUNDLED, more=OUTPUTS))
    await system.start()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "PromptVersionMissing")
    assert "prompt 'said' has no version 1" in report["error"]["message"]
    assert system.letter().status == LetterStatus.OPEN
    await registry.push(BETTER)
    await system.redrive()
    assert (await system.report())["outputs"] == {"b": "b(Better two)"}


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (prompt("said", "{{ nobody }}"), "reads 'nobody'"),
        (prompt("said", "Hi", output={"properties": {"mood": {}}}), "has no 'text'; it has mood"),
        (prompt("said", "{{ text }}", input={"required": ["tone"]}), "needs 'tone'"),
        (
            prompt("said", "Hi", input={"additionalProperties": False, "properties": {"a": {}}}),
            "takes no 'text'",
        ),
    ],
)
async def test_a_label_on_a_version_that_does_not_fit_fails_no_run(unfit, reason: str):
    system, registry = system_of(FLOW)
    await registry.push(unfit)
    assert await said_of(system, "e1") == "b(Bundled two)"
    [told] = warnings(system)
    assert f"flow 'thing': prompt 'said', version {unfit.version}, does not fit" in told
    assert reason in told


async def test_an_exact_version_that_does_not_fit_is_refused():
    system, registry = system_of(flow(STEPS.replace("said,", "said@1,"), BUNDLED))
    await registry.push(prompt("said", "{{ nobody }}"))
    await system.start()
    assert (await system.report())["error"]["code"] == "PromptVersionUnfit"


class Cut(MemoryStore):
    """A store in which the registry's documents cannot be reached while `is_cut`."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner, self.is_cut, self.asked = inner, False, 0
        self.commit = inner.commit

    async def find(self, query: Query) -> list[Document]:
        self._look(query.collection)
        return await self.inner.find(query)

    async def get_many(self, paths) -> list[Document | None]:
        for path in paths:
            self._look(path)
        return await self.inner.get_many(paths)

    def _look(self, path: str) -> None:
        if path.split("/", maxsplit=1)[0] == HEADS:
            self.asked += 1
            if self.is_cut:
                raise StoreUnavailableError("cut")


async def test_without_the_registry_the_last_known_or_the_bundled_copy_serves():
    system, registry = system_of(FLOW, store=Cut)
    system.world.store.is_cut = True
    assert await said_of(system, "e1") == "b(Bundled two)"
    system.world.store.is_cut = False
    await registry.push(BETTER)
    registry.wait()
    assert await said_of(system, "e2") == "b(Better two)"
    system.world.store.is_cut = True
    for n in range(3, 6):
        registry.wait()
        assert await said_of(system, f"e{n}") == "b(Better two)"
    assert len([told for told in warnings(system) if "cannot be read" in told]) == 1


async def test_a_record_that_nobody_can_read_fails_no_run():
    system, registry = system_of(FLOW)
    await registry.push(BETTER)
    await system.world.documents.commit([Put(version_path("said", 1), {"prompt": "{}"})])
    assert await said_of(system, "e1") == "b(Bundled two)"
    await system.world.documents.commit([Put(head_path("other"), {"name": 7})])
    registry.wait()
    assert await said_of(system, "e2") == "b(Bundled two)"
    assert len(warnings(system)) == 2


async def test_labels_are_read_once_in_five_seconds_and_versions_once():
    """Each delivery takes a second."""
    system, registry = system_of(FLOW, store=Cut)
    store, documents = system.world.store, system.world.documents
    await registry.push(BETTER)
    for _ in range(11):
        await system.publish(EVENT)
    for _ in range(5):
        await system.pipeline.step("route")
    assert store.asked == 2  # the heads, and the version
    documents.reset_counts()
    for _ in range(5):
        await system.pipeline.step("route")
    assert store.asked == 3
    assert [path for path in documents.reads if path.startswith(HEADS)] == [head_path("said")]


async def test_a_flow_without_prompts_asks_no_registry():
    system, _ = system_of(flow("a: {call: test.echo, with: {value: 1}}"), store=Cut)
    await system.start()
    assert system.world.store.asked == 0


async def test_a_redrive_with_repin_takes_what_labels_point_at_now():
    model = ScriptedModel({"said": [ModelRefusedError("no"), "fine"]})
    system, registry = system_of(FLOW, model=model)
    await system.start()
    await registry.push(BETTER)
    await system.redrive(repin=True)
    assert (await system.report())["status"] == "succeeded"
    assert system.asked() == ["a: Bundled one", "a: Better one", "b: Better two"]


def warnings(system: System) -> list[str]:
    return [
        message for severity, message, _ in system.world.telemetry.lines if severity == "WARNING"
    ]
