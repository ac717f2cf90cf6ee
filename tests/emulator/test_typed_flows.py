"""Typed flows on the whole local system: the twin of a flow file, and one with all there is."""

from __future__ import annotations

from typing import Any

from functions.act.flows.best_joke import BestJoke, BestJokeTold, JokesRequested, Rated
from functions.act.flows.joke import JokeFlow, JokeRequested, JokeTold
from shared.client import Segue
from shared.domain.run_notes import StateRecord, state_path
from tests.emulator.harness import Harness

_JOKES_OF_THE_STAND_IN = 3  # about pirates, in turns
_OF_ITS_OWN = {"started_at", "finished_at", "ledger"}


def told_of(run: dict[str, Any]) -> dict[str, Any]:
    """What two runs of the same steps share."""
    steps = {
        name: {key: value for key, value in step.items() if key not in _OF_ITS_OWN}
        for name, step in run["steps"].items()
    }
    return {key: run[key] for key in ("status", "outputs", "error", "totals")} | {"steps": steps}


async def test_a_typed_flow_leaves_the_record_of_its_twin(system: Harness) -> None:
    data = {"topic": "pirates"}
    written = [
        await system.only_run(await system.publish("joke.requested", data))
        for _ in range(_JOKES_OF_THE_STAND_IN)
    ]
    typed = await system.only_run(await system.publish(JokeFlow.on, data))
    [twin] = [run for run in written if run["outputs"]["joke"] == typed["outputs"]["joke"]]

    assert typed["status"] == "succeeded", typed
    assert (twin["flow"], typed["flow"]) == ("joke", "joke-typed")
    assert told_of(typed) == told_of(twin)
    assert list(typed["steps"]) == ["write", "critique"]


async def test_typed_flows_are_started_followed_and_awaited_by_their_classes(
    system: Harness,
) -> None:
    topics = ["pirates", "queues", "cats", "tests"]
    async with Segue(state_dir=system.folder / "state") as segue:
        run = await segue.start(BestJoke, JokesRequested(topics=topics, most_words=1000))
        changes = [change async for change in run.progress()]
        best = await segue.run(run.run_id).result_of(BestJoke, timeout=60)
        joke = await segue.start(JokeFlow, JokeRequested(topic="cats"))
        told = await joke.result_of(JokeFlow, timeout=60)

    rated = [one for change in changes if (one := change.read(Rated)) is not None]
    words = sum(len(one.text.split()) for one in rated)
    assert isinstance(best, BestJokeTold)
    assert (best.others, best.words_read) == (len(topics) - 1, words)
    assert best.joke in [one.text for one in rated]
    assert len(rated) == len(topics)
    assert {change.step for change in changes if change.event} == {f"rate[{n}]" for n in range(4)}
    assert isinstance(told, JokeTold)
    stored = await system.store.get(state_path(run.run_id))
    assert stored is not None
    assert StateRecord.of(stored.data).edits == len(topics)
