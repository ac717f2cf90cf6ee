"""A collection is filled by events: what is in it is always the latest of a document, whole."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery import crashpoints
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.retrieval.records import DocumentRecord, chunks_path, documents_path
from shared.ports import Document, Query
from shared.testing.pipeline import Crash
from tests.functional.system import System, shipped

LIBRARY = shipped()
CATS = "# Cats\n\nCats purr and sleep.\n\n# Dogs\n\nDogs bark at cats.\n"
HORSES = "# Cats\n\nCats purr and sleep.\n\n# Horses\n\nHorses run.\n"
OLD, NEW = {"Cats purr and sleep.", "Dogs bark at cats."}, {"Cats purr and sleep.", "Horses run."}


class Shelf:
    """The shipped flow over ports in memory, and what the collection `docs` holds."""

    def __init__(self) -> None:
        self.system = System(LIBRARY)
        self.embedder = self.system.embedder

    async def bring(self, what: str, text: str | None = None, *, at: int = 0, **more: Any) -> None:
        """An event about the document `pets.md`, `at` so many minutes past noon."""
        data = {"collection": "docs", "document": "pets.md", **more}
        if text is not None:
            data["text"] = text
        time = f"2026-01-01T12:{at:02}:00Z"
        await self.system.publish(f"document.{what}", data, ce_time=time)

    async def put(self, what: str, text: str | None = None, *, at: int = 0, **more: Any) -> None:
        await self.bring(what, text, at=at, **more)
        await self.system.run()

    async def chunks(self) -> list[Document]:
        return await self.system.world.documents.find(Query(chunks_path("docs")))

    async def texts(self) -> set[str]:
        """The paragraphs that can be found, without their headings."""
        return {one.data["text"].rpartition("\n")[2] for one in await self.chunks()}

    async def record(self) -> DocumentRecord:
        [found] = await self.system.world.documents.find(Query(documents_path("docs")))
        return DocumentRecord.of(found.data)

    async def outcomes(self) -> list[str]:
        reports = [await self.system.report(run) for run in self.system.run_ids()]
        return [report["outputs"]["outcome"] for report in reports]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_a_document_is_cut_embedded_and_put(shelf: Shelf) -> None:
    await shelf.put("added", CATS, metadata={"kind": "animals"})
    assert await shelf.texts() == OLD
    [cats, dogs] = sorted(await shelf.chunks(), key=lambda one: one.data["position"])
    assert cats.data["metadata"] == {"kind": "animals"}
    assert cats.data["document"] == "pets.md"
    assert len(dogs.data["vector"].values) == 768
    assert (await shelf.record()).chunks == [cats.name, dogs.name]


async def test_of_a_changed_document_only_what_is_new_is_embedded(shelf: Shelf) -> None:
    await shelf.put("added", CATS)
    await shelf.put("changed", HORSES, at=1)
    assert await shelf.texts() == NEW
    assert set(shelf.embedder.embedded.values()) == {1}
    assert len(shelf.embedder.embedded) == 3


async def test_a_document_that_says_the_same_costs_nothing(shelf: Shelf) -> None:
    await shelf.put("added", CATS)
    before = len(shelf.embedder.calls)
    await shelf.put("changed", CATS, at=1)
    assert len(shelf.embedder.calls) == before
    assert (await shelf.record()).at.minute == 1


async def test_new_metadata_need_no_new_vectors(shelf: Shelf) -> None:
    await shelf.put("added", CATS, metadata={"kind": "a"})
    before = len(shelf.embedder.calls)
    await shelf.put("changed", CATS, at=1, metadata={"kind": "b"})
    assert len(shelf.embedder.calls) == before
    assert {one.data["metadata"]["kind"] for one in await shelf.chunks()} == {"b"}


async def test_a_removed_document_is_gone_and_an_older_event_does_not_bring_it_back(
    shelf: Shelf,
) -> None:
    await shelf.put("added", CATS)
    await shelf.put("removed", at=2)
    assert await shelf.chunks() == []
    await shelf.put("changed", HORSES, at=1)
    assert await shelf.chunks() == []
    assert sorted(await shelf.outcomes()) == ["removed", "stored", "superseded"]
    await shelf.put("added", HORSES, at=3)
    assert await shelf.texts() == NEW


async def test_an_older_version_that_arrives_late_does_not_win(shelf: Shelf) -> None:
    await shelf.put("changed", HORSES, at=5)
    await shelf.put("added", CATS, at=1)
    assert await shelf.texts() == NEW
    assert sorted(await shelf.outcomes()) == ["stored", "superseded"]


@pytest.mark.parametrize("seed", range(3))
async def test_versions_under_way_together_end_with_the_latest(shelf: Shelf, seed: int) -> None:
    shelf.system.pipeline.random.seed(seed)
    await shelf.put("added", CATS)
    for at, text in enumerate((HORSES, CATS, HORSES), start=1):
        await shelf.bring("changed", text, at=at)
    await shelf.system.run()
    assert await shelf.texts() == NEW


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_reads_while_an_instance_dies_finds_the_old_or_the_new(
    shelf: Shelf, point: Point
) -> None:
    await shelf.put("added", CATS)
    await shelf.bring("changed", HORSES, at=1)
    died: set[str] = set()

    def die(reached: Point) -> None:
        if reached == point and doing not in died:
            died.add(doing)
            raise Crash

    crashpoints.arm(die)
    try:
        while waiting := shelf.system.pipeline.collect():
            one = shelf.system.pipeline.take(waiting[0])
            doing = f"{one.stage} {one.message.attributes.get('segue-step')}"
            await shelf.system.pipeline.deliver(one)
            assert await shelf.texts() in (OLD, NEW)
    finally:
        crashpoints.arm(None)
    assert await shelf.texts() == NEW
    # What was embedded was kept at once: a crash after that costs no second embedding.
    assert set(shelf.embedder.embedded.values()) == {1}
    assert shelf.system.letters() == []


async def test_an_event_that_comes_twice_embeds_once(shelf: Shelf) -> None:
    for _ in range(2):
        data = {"collection": "docs", "document": "pets.md", "text": CATS}
        await shelf.system.publish("document.added", data, ce_id="e-1", ce_source="//test")
    await shelf.system.run()
    assert set(shelf.embedder.embedded.values()) == {1}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"collection": "nowhere", "text": CATS}, "CollectionUnknown"),
        ({"metadata": {"colour": "red"}, "text": CATS}, "ActionInvalid"),
        ({"metadata": {"kind": 3}, "text": CATS}, "ActionInvalid"),
    ],
)
async def test_what_does_not_fit_the_declaration_fails_and_says_so(
    shelf: Shelf, data: dict[str, Any], code: str
) -> None:
    await shelf.put("added", **data)
    assert shelf.system.letter().error.code == code
    assert shelf.embedder.calls == []
