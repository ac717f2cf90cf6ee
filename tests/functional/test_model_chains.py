"""A chain of models: one that fails is skipped by all, probed by one call, and restored."""

from __future__ import annotations

from collections import Counter

from shared.delivery.models.breakers import Breakers
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.breaker import COOL_DOWN, FAILURES, BreakerRecord
from shared.domain.records import Tokens
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


def breakers(system: System) -> dict[str, int]:
    """How often each has opened, by model."""
    return {one.model: one.opened for one in system.stored("breakers", BreakerRecord)}


async def calls(system: System, times: int = FAILURES) -> list[Breakers]:
    """So many calls that are made at the same time: each knows whom it may ask."""
    made = [Breakers(system.pipeline.deps("generate")) for _ in range(times)]
    for call in made:
        assert await call.order(["a", "b"]) == ["a", "b"]
    return made


async def test_calls_that_are_under_way_when_a_model_is_given_up_do_not_prolong_that():
    """All of them fail, and only a probe tells anything new."""
    system = chained(Models())
    for call in await calls(system, 4 * FAILURES):
        await call.failed("a")
    assert breakers(system) == {"a": 1}


async def test_a_model_that_answers_because_none_was_well_is_restored():
    system = chained(Models())
    for call in await calls(system):
        await call.failed("a")
        await call.failed("b")
    [one, other] = await calls(system, 2)
    await one.failed("b")
    await other.answered("a")
    assert breakers(system) == {"a": 0, "b": 1}


async def test_a_model_is_not_blamed_for_another_that_the_budget_has_chosen():
    models = Models()
    models.ill = {"cheap"}
    budget = "budget: {usd: 0.5, on_breach: [{model: cheap}, stop]}"
    asks = flow("x: {prompt: chained, with: {text: hi}}", CHAINED, more=budget)
    system = System([asks], model=_Dear(default=models.answer))
    await system.publish("thing.happened")
    for stage in ("route", "compose", "generate"):
        await system.pipeline.step(stage)
    assert models.asked == {"cheap": 2}
    assert breakers(system) == {"cheap": 0}


class _Dear(ScriptedModel):
    """All models but the cheap one cost more than anybody has."""

    def cost(self, model: str, tokens: Tokens) -> float | None:
        del tokens
        return 0.0 if model == "cheap" else 1.0
