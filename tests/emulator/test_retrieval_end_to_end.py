"""A collection is filled, searched, changed and emptied, in real processes on both engines."""

from __future__ import annotations

from typing import Any

from tests.emulator.harness import Harness


async def test_documents_are_put_asked_changed_asked_again_and_removed(system: Harness) -> None:
    document = {"collection": "docs", "document": "claims.md"}

    async def put(text: str) -> int:
        event_id = await system.publish("document.changed", {**document, "text": text})
        run = await system.only_run(event_id)
        assert run["outputs"]["outcome"] == "stored", run
        return int(run["steps"]["split"]["output"]["new"])

    async def ask() -> dict[str, Any]:
        question = {"question": "How long is the lease of a claim?"}
        run = await system.only_run(await system.publish("docs.question.asked", question))
        assert run["status"] == "succeeded", run
        return run

    assert await put("# Claims\n\nThe lease of a claim is a minute.\n\n# Else\n\nMore.\n") == 2
    run = await ask()
    assert "lease of a claim is a minute" in run["outputs"]["answer"]
    searched = [turn["calls"] for turn in run["steps"]["research"]["turns"]]
    assert [len(calls) for calls in searched] == [1, 1, 0]  # it goes by what the first one finds
    [[first], [second], _] = searched
    assert (first["tool"], second["args"]) == ("search_documents", {"query": "# Claims"})
    assert set(run["outputs"]["sources"]) <= set(first["sources"])
    assert first["tokens"]["input"] > 0

    for new in (2, 0):  # the second chunk repeats the end of the first; then nothing is new
        text = "# Claims\n\nThe lease of a claim is an hour.\n\n# Else\n\nMore.\n"
        assert await put(text) == new
    assert "lease of a claim is an hour" in (await ask())["outputs"]["answer"]

    gone = await system.only_run(await system.publish("document.removed", document))
    assert gone["outputs"]["outcome"] == "removed"
    assert (await ask())["outputs"] == {
        "answer": "The documents do not tell.",
        "sources": [],
        "notes": [],
    }
