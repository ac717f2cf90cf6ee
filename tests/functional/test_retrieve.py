"""What is retrieved: for a step, for a prompt; what is recorded, billed and cited of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.domain.retrieval.collection import Collection
from shared.domain.version import FlowVersion
from shared.errors import IndexMissingError, ModelUnreachableError
from shared.ports import Near, Nearest
from shared.prompting.library import read_flow
from shared.prompting.prompt_file import read_prompt
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, shipped

PETS = {
    "cats.md": ("Cats purr and sleep all day.", "pets"),
    "dogs.md": ("Dogs bark and sleep at night.", "pets"),
    "stars.md": ("Stars shine at night.", "sky"),
}
DOCS = Collection(collection="docs", metadata={"kind": "string"})
STEP = """
look:
  retrieve: {collection: docs, query: "{{ event.data.q }}", top_k: 2%s}
"""
ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["text", "sources"],
    "properties": {
        "text": {"type": "string"},
        "sources": {"type": "array", "items": {"type": "string"}},
    },
}


def asking(steps: str, **head: Any) -> FlowVersion:
    """A flow on EVENT whose prompt `answer`, where it asks one, retrieves what `head` says."""
    front = {"description": "Answers.", "model": "gemini-2.5-flash", **head}
    body = "{% for one in retrieved %}[{{ one.id }}] {{ one.text }}\n{% endfor %}{{ question }}"
    prompts = {}
    if head:
        text = f"---\n{json.dumps(front)}\n---\n{body}"
        prompts["answer"] = read_prompt("answer", text, "answer.md.j2", {}, {"docs": DOCS})
    indented = steps.replace("\n", "\n  ")
    text = f"flow: thing\non: {{event: {EVENT}}}\nsteps:{indented}"
    return read_flow(text, "thing.yaml", prompts, collections={"docs": DOCS})


async def filled(*flows: FlowVersion, **about: Any) -> System:
    """A system with these flows and three documents in its collection."""
    known = [shipped().flows["documents"], *flows]
    system = System(known, **about)
    for name, (text, kind) in PETS.items():
        data = {"collection": "docs", "document": name, "text": text, "metadata": {"kind": kind}}
        await system.start(data, "document.added")
    system.embedder.calls.clear()
    return system


async def reported(system: System) -> dict[str, Any]:
    """The report of the run of `thing`."""
    for run in system.run_ids():
        report = await system.report(run)
        if report["flow"] == "thing":
            return report
    raise AssertionError


def telling(report: dict[str, Any], step: str = "look") -> list[str]:
    return [one["document"] for one in report["steps"][step]["output"]["chunks"]]


async def test_a_step_gives_the_nearest_chunks_with_their_scores_and_its_bill() -> None:
    system = await filled(asking(STEP % ""))
    await system.start({"q": "do cats purr?"})
    report = await reported(system)
    step = report["steps"]["look"]
    assert telling(report)[0] == "cats.md"
    first, second = step["output"]["chunks"]
    assert first["score"] > second["score"]
    assert first["metadata"] == {"kind": "pets"}
    assert step["sources"] == [first["id"], second["id"]]
    assert step["tokens"]["input"] > 0
    assert step["cost_usd"] > 0
    assert step["llm_calls"] == 0
    assert step["model"] == DOCS.model
    assert step["output"]["query"] == "do cats purr?"


@pytest.mark.parametrize(
    ("more", "documents"),
    [
        (', where: {kind: "{{ event.data.kind }}"}', ["stars.md"]),
        (", min_similarity: 0.99", []),
        (", max_tokens: 7", ["cats.md"]),
        (", max_tokens: 6", []),
    ],
)
async def test_a_search_takes_only_what_it_asks_for(more: str, documents: list[str]) -> None:
    system = await filled(asking(STEP % more))
    await system.start({"q": "do cats purr and sleep at night?", "kind": "sky"})
    assert telling(await reported(system)) == documents


async def test_what_was_retrieved_is_in_the_log_line_of_the_attempt() -> None:
    system = await filled(asking(STEP % ""))
    await system.start({"q": "stars"})
    [line] = [r for r in system.world.telemetry.reports if r.labels.get("step") == "look"][1:]
    report = await reported(system)
    assert line.details["sources"] == report["steps"]["look"]["sources"]
    assert [call.operation for call in line.calls] == ["embeddings"]


async def test_a_mapped_search_finds_for_each_item() -> None:
    steps = """
look:
  foreach: event.data.qs
  retrieve: {collection: docs, query: "{{ item }}", top_k: 1}
"""
    system = await filled(asking(steps))
    await system.start({"qs": ["cats purr", "stars shine"]})
    found = (await reported(system))["steps"]["look"]["output"]
    assert [one["chunks"][0]["document"] for one in found] == ["cats.md", "stars.md"]


async def test_a_search_is_tried_again_and_then_replaced() -> None:
    steps = """
look:
  retrieve: {collection: docs, query: cats}
  retry: {attempts: 2, on: ModelUnreachable, backoff: {initial: 1s}}
  fallback: {value: {chunks: [], query: none, tokens: 0}}
"""
    system = await filled(asking(steps))
    system.embedder.errors.extend([ModelUnreachableError("gone")] * 2)
    await system.start({})
    step = (await reported(system))["steps"]["look"]
    assert (step["status"], step["attempts"], step["fallback"]) == ("succeeded", 2, True)
    assert step["output"]["query"] == "none"


@pytest.mark.parametrize(
    ("query", "code"), [("{{ event.data.missing }}", "Expression"), ("' '", "Expression")]
)
async def test_a_query_that_is_no_text_fails_the_step(query: str, code: str) -> None:
    steps = f'\nlook:\n  retrieve: {{collection: docs, query: "{query.strip(chr(39))}"}}\n'
    system = await filled(asking(steps))
    await system.start({})
    assert system.letter().error.code == code


async def unindexed(_query: Nearest) -> list[Near]:
    """A search where the database has no vector index."""
    await asyncio.sleep(0)
    raise IndexMissingError("create it with: gcloud firestore indexes composite create")


async def test_a_missing_index_is_told_with_its_remedy_and_nothing_is_lost() -> None:
    system = await filled(asking(STEP % ""))
    found = system.world.documents.nearest

    system.world.documents.nearest = unindexed  # type: ignore[method-assign]
    await system.start({"q": "cats"})
    report = await reported(system)
    assert report["error"]["code"] == "IndexMissing"
    assert "gcloud firestore indexes" in report["error"]["message"]
    system.world.documents.nearest = found  # type: ignore[method-assign]
    await system.redrive()
    assert telling(await reported(system))[0] == "cats.md"


RETRIEVE = {"collection": "docs", "query": "{{ question }}", "top_k": 1}
ASK = """
ask: {prompt: answer, with: {question: "{{ event.data.q }}"}}
"""


async def test_a_prompt_sees_what_it_retrieves_and_its_record_names_it() -> None:
    system = await filled(asking(ASK, retrieve=RETRIEVE), model=ScriptedModel(default="They do."))
    await system.start({"q": "do cats purr?"})
    step = (await reported(system))["steps"]["ask"]
    [asked] = system.asked()
    [source] = step["sources"]
    assert asked == f"ask: [{source}] Cats purr and sleep all day.\ndo cats purr?"
    assert step["output"] == {"text": "They do."}
    assert step["llm_calls"] == 1
    assert step["model"] == "gemini-2.5-flash"


def cited(*sources: str) -> dict[str, Any]:
    return {"text": "They do.", "sources": list(sources)}


async def test_an_answer_that_cites_what_was_not_retrieved_is_repaired() -> None:
    flow = asking(ASK, retrieve=RETRIEVE, output=ANSWER)

    def answer(request: Any) -> dict[str, Any]:
        retrieved = request.messages[0][1][1:].partition("]")[0]
        return cited(retrieved) if len(request.messages) > 1 else cited("made-up", retrieved)

    system = await filled(flow, model=ScriptedModel(default=answer))
    await system.start({"q": "do cats purr?"})
    step = (await reported(system))["steps"]["ask"]
    assert step["output"]["sources"] == step["sources"]
    assert step["llm_calls"] == 2
    assert "1 sources that were not retrieved" in system.asked()[1]


async def test_an_answer_that_keeps_citing_what_is_not_there_fails() -> None:
    flow = asking(ASK, retrieve=RETRIEVE, output=ANSWER)
    system = await filled(flow, model=ScriptedModel(default=cited("made-up")))
    await system.start({"q": "do cats purr?"})
    assert system.letter().error.code == "OutputInvalid"


async def test_an_error_of_the_search_is_the_prompts_own() -> None:
    system = await filled(asking(ASK, retrieve=RETRIEVE))
    system.world.documents.nearest = unindexed  # type: ignore[method-assign]
    await system.start({"q": "do cats purr?"})
    assert (await reported(system))["steps"]["ask"]["error"]["code"] == "IndexMissing"
    assert system.asked() == []
