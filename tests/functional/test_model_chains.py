"""A chain of models: one that fails is skipped by all, probed by one call, and restored."""

from __future__ import annotations

from collections import Counter

from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.breaker import COOL_DOWN, FAILURES
from shared.errors import ModelUnreachableError
from shared.testing.memory import Said, ScriptedModel
from tests.functional.system import System, flow, prompt

CHAINED = prompt("chained", "{{ text }}", model="a", models=["a", "b"])
ASKS = flow("x: {prompt: chained, with: {text: hi}}", CHAINED)


class Models:
    """Which models are ill, and how often each was asked."""

    def __init__(self) -> None:
        self.ill: set[str] = set()
        self.asked: Counter[str] = Counter()

    def answer(self, request: ModelRequest) -> Said:
        self.asked[request.model] += 1
        return ModelUnreachableError("gone") if request.model in self.ill else "well"


def chained(models: Models) -> System:
    return System([ASKS], model=ScriptedModel(default=models.answer))


async def runs(system: System, name: str, times: int = 1) -> None:
    for n in range(times):
        await system.start(ce_id=f"{name}{n}")
    statuses = {run.data["status"] for run in _runs(system)}
    assert statuses == {"succeeded"}


def _runs(system: System):
    documents = system.world.documents.documents
    return [
        one for path, one in documents.items() if path.startswith("runs/") and path.count("/") == 1
    ]


async def test_while_all_is_well_a_chain_writes_nothing():
    models = Models()
    system = chained(models)
    await runs(system, "warm")
    system.world.documents.reset_counts()
    await runs(system, "next")
    writes = [path for path in system.world.documents.writes if path.startswith("breakers/")]
    assert writes == []
    assert models.asked == {"a": 2}


async def test_a_model_that_fails_is_skipped_then_probed_and_restored():
    models = Models()
    system = chained(models)
    models.ill = {"a"}
    await runs(system, "ill", FAILURES + 3)
    assert models.asked == {"a": FAILURES, "b": FAILURES + 3}
    system.world.clock.advance(COOL_DOWN)
    await runs(system, "probe", 3)
    assert models.asked["a"] == FAILURES + 1
    models.ill = set()
    system.world.clock.advance(3 * COOL_DOWN)
    models.asked.clear()
    await runs(system, "well", 3)
    assert models.asked == {"a": 3}
    told = [text for _, text, _ in system.world.telemetry.lines if text.startswith("model a")]
    assert told == ["model a fails, and is skipped for a while", "model a answers again"]


async def test_where_no_model_is_well_all_are_asked_and_the_step_is_redelivered():
    models = Models()
    system = chained(models)
    models.ill = {"a", "b"}
    await system.publish("thing.happened")
    for stage in ("route", "compose", "generate"):
        await system.pipeline.step(stage)
    assert models.asked == {"a": 1, "b": 1}
    models.ill = {"a"}
    await system.run()
    assert (await system.report())["steps"]["x"]["model"] == "b"


async def test_a_step_may_name_a_chain_of_its_own():
    models = Models()
    models.ill = {"c"}
    own = flow("x: {prompt: chained, models: [c, d], with: {text: hi}}", CHAINED)
    system = System([own], model=ScriptedModel(default=models.answer))
    await system.start()
    assert models.asked == {"c": 1, "d": 1}
    report = (await system.report())["steps"]["x"]
    assert (report["status"], report["model"], report["llm_calls"]) == ("succeeded", "d", 2)
