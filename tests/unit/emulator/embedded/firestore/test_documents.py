"""The collection tree: orders, groups, missing parents, snapshots."""

from __future__ import annotations

import gc

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import Document


def document(path: str, number: int = 0) -> Document:
    return Document(path, {"n": number}, 1, 1)


def holding(*paths: str) -> Documents:
    documents = Documents()
    for path in paths:
        documents.put(document(path))
    return documents


def group(documents, name, under="") -> list[str]:
    return [one.path for one in documents.in_group(name, under)]


def test_a_collection_is_in_name_order_before_and_after_changes() -> None:
    documents = holding("a/x", "a/é", "a/Z", "a/__id10__", "a/__id9__", "a/x/b/deep", "b/x")
    assert list(documents.collection("a")) == ["a/__id9__", "a/__id10__", "a/Z", "a/x", "a/é"]
    documents.put(document("a/Y"))
    documents.put(document("a/x", 2))
    documents.remove("a/é")
    assert list(documents.collection("a")) == ["a/__id9__", "a/__id10__", "a/Y", "a/Z", "a/x"]
    assert documents.collection("none") == []


def test_a_group_holds_all_collections_with_that_id() -> None:
    documents = holding("r/2/s/b", "r/1/s/a", "s/top", "r/1/s/a/s/inner", "r/1/t/x", "r/1-/s/c")
    everything = ["r/1/s/a", "r/1/s/a/s/inner", "r/1-/s/c", "r/2/s/b", "s/top"]
    assert group(documents, "s") == everything
    assert group(documents, "s", "r/1") == ["r/1/s/a", "r/1/s/a/s/inner"]
    documents.put(document("r/1/s/0"))
    documents.remove("r/1/s/a")
    assert group(documents, "s", "r/1") == ["r/1/s/0", "r/1/s/a/s/inner"]
    assert group(documents, "s", "r/none") == []


def test_without_an_id_all_descendants_are_found_and_the_document_itself_is_not() -> None:
    documents = holding("a/b", "a/b/c/d", "a/b/e/f", "a/b\x00/c/d", "a/bb/c/d")
    assert group(documents, None, "a/b") == ["a/b/c/d", "a/b/e/f"]
    assert len(group(documents, None)) == 5


def test_a_collection_exists_as_long_as_something_is_in_or_below_it() -> None:
    documents = holding("k/m/deep/d/er/x", "a/1")
    assert documents.collection_ids("") == ["a", "k"]
    assert documents.collection_ids("k/m") == ["deep"]
    assert documents.collection_ids("k/m/deep/d") == ["er"]
    assert documents.missing("k") == ["k/m"]
    assert documents.collection("k") == []
    documents.remove("k/m/deep/d/er/x")
    assert documents.collection_ids("") == ["a"]
    assert documents.missing("k") == []


def test_subscribers_hear_of_each_change_until_they_stop() -> None:
    documents, heard = Documents(), []
    stop = documents.subscribe(lambda before, after: heard.append((before, after)))
    first, second = document("a/b", 1), document("a/b", 2)
    documents.put(first)
    documents.put(second)
    documents.remove("a/b")
    documents.remove("a/b")
    stop()
    documents.put(first)
    assert heard == [(None, first), (first, second), (second, None)]


def test_a_cleared_tree_is_empty_and_can_be_used() -> None:
    documents = holding("a/b", "a/c/d/e")
    assert group(documents, None)
    documents.clear()
    assert (len(documents), documents.collection_ids(""), group(documents, None)) == (0, [], [])
    documents.put(document("a/z"))
    assert list(documents.collection("a")) == ["a/z"]


def test_a_snapshot_does_not_see_later_changes() -> None:
    documents = holding("a/1", "a/2", "a/2/a/x")
    snapshot = documents.snapshot()
    documents.put(document("a/0"))
    documents.put(document("a/1", 7))
    documents.remove("a/2")
    documents.remove("a/2/a/x")
    assert snapshot.get("a/0") is None
    assert snapshot.get("a/1") == document("a/1")
    assert list(snapshot.collection("a")) == ["a/1", "a/2"]
    assert group(snapshot, "a") == ["a/1", "a/2", "a/2/a/x"]
    assert group(snapshot, None, "a/2") == ["a/2/a/x"]


def test_a_snapshot_that_nobody_holds_costs_nothing() -> None:
    documents = holding("a/1")
    snapshot = documents.snapshot()
    assert len(documents._subscribers) == 1
    del snapshot
    gc.collect()
    assert documents._subscribers == []
