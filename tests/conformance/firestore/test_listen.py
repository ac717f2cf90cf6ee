"""Listening: https://firebase.google.com/docs/firestore/query-data/listen."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud.firestore import CollectionReference
from google.cloud.firestore_v1.base_query import FieldFilter

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
PATIENCE = 8.0
Seen = tuple[list[tuple[str, Any]], list[tuple[str, str]]]


class Watched:
    """What a listener was told: the documents in order, and the changes."""

    def __init__(self, target: Any) -> None:
        self._told: queue.Queue[Seen] = queue.Queue()
        self._watch = target.on_snapshot(self._tell)

    def _tell(self, documents: Any, changes: Any, _at: Any) -> None:
        found = [(each.id, each.to_dict()) for each in documents if each.exists]
        self._told.put((found, [(each.type.name, each.document.id) for each in changes]))

    def next(self) -> Seen:
        """Wait until the listener is told something."""
        return self._told.get(timeout=PATIENCE)

    def until(self, documents: list[tuple[str, Any]]) -> list[tuple[str, str]]:
        """Wait until these are the documents; all changes on the way there."""
        changes: list[tuple[str, str]] = []
        while True:
            found, changed = self.next()
            changes += changed
            if found == documents:
                return changes

    def nothing(self) -> bool:
        """Whether the listener is told nothing for a while."""
        try:
            self._told.get(timeout=0.3)
        except queue.Empty:
            return True
        return False

    def stop(self) -> None:
        self._watch.unsubscribe()


@pytest.fixture
def watch() -> Iterator[Callable[[Any], Watched]]:
    made: list[Watched] = []

    def start(target: Any) -> Watched:
        made.append(Watched(target))
        return made[-1]

    yield start
    for each in made:
        each.stop()


Watch = Callable[[Any], Watched]


def test_a_document_is_watched(things: Things, watch: Watch) -> None:
    document = things.document("a")
    document.set({"n": 1})
    watched = watch(document)
    assert watched.next()[0] == [("a", {"n": 1})]
    document.update({"n": 2})
    assert watched.next()[0] == [("a", {"n": 2})]
    document.delete()
    assert watched.next()[0] == []
    document.set({"n": 3})
    assert watched.next()[0] == [("a", {"n": 3})]


def test_a_missing_document_is_watched(things: Things, watch: Watch) -> None:
    watched = watch(things.document("a"))
    assert watched.next()[0] == []
    things.document("a").set({"n": 1})
    assert watched.next()[0] == [("a", {"n": 1})]


def test_a_collection_is_watched(things: Things, watch: Watch) -> None:
    things.document("b").set({"n": 1})
    watched = watch(things)
    assert watched.next() == ([("b", {"n": 1})], [("ADDED", "b")])
    things.document("a").set({"n": 2})
    assert watched.next() == ([("a", {"n": 2}), ("b", {"n": 1})], [("ADDED", "a")])
    things.document("b").update({"n": 3})
    assert watched.next() == ([("a", {"n": 2}), ("b", {"n": 3})], [("MODIFIED", "b")])
    things.document("a").delete()
    assert watched.next() == ([("b", {"n": 3})], [("REMOVED", "a")])


def test_an_empty_result_is_told_too(things: Things, watch: Watch) -> None:
    assert watch(things).next() == ([], [])


def test_documents_enter_and_leave_a_query(things: Things, watch: Watch) -> None:
    things.document("a").set({"n": 1})
    watched = watch(things.where(filter=FieldFilter("n", ">", 0)))
    assert watched.next()[1] == [("ADDED", "a")]
    things.document("b").set({"n": -1})
    things.document("b").set({"n": 5})
    assert watched.next() == ([("a", {"n": 1}), ("b", {"n": 5})], [("ADDED", "b")])
    things.document("a").set({"n": 0})
    assert watched.next() == ([("b", {"n": 5})], [("REMOVED", "a")])


def test_a_limit_holds_while_documents_come_and_go(things: Things, watch: Watch) -> None:
    for number in (1, 2, 3):
        things.document(f"d{number}").set({"n": number})
    watched = watch(things.order_by("n").limit(2))
    assert watched.next()[0] == [("d1", {"n": 1}), ("d2", {"n": 2})]
    things.document("d0").set({"n": 0})
    changes = watched.until([("d0", {"n": 0}), ("d1", {"n": 1})])
    assert sorted(changes) == [("ADDED", "d0"), ("REMOVED", "d2")]
    things.document("d1").delete()
    changes = watched.until([("d0", {"n": 0}), ("d2", {"n": 2})])
    assert sorted(changes) == [("ADDED", "d2"), ("REMOVED", "d1")]


def test_an_order_is_kept(things: Things, watch: Watch) -> None:
    for name, number in (("a", 3), ("b", 2), ("c", 1)):
        things.document(name).set({"n": number})
    watched = watch(things.order_by("n"))
    assert [name for name, _ in watched.next()[0]] == ["c", "b", "a"]
    things.document("c").set({"n": 9})
    assert [name for name, _ in watched.next()[0]] == ["b", "a", "c"]


def test_a_batch_is_told_at_once(things: Things, watch: Watch) -> None:
    watched = watch(things)
    watched.next()
    batch = things._client.batch()
    for name in "abc":
        batch.set(things.document(name), {})
    batch.commit()
    assert [name for name, _ in watched.next()[0]] == ["a", "b", "c"]


def test_what_does_not_concern_a_query_is_not_told(things: Things, watch: Watch) -> None:
    watched = watch(things.where(filter=FieldFilter("n", "==", 1)))
    watched.next()
    things.document("a").set({"n": 2})
    things.document("a/sub/b").set({"n": 1})
    assert watched.nothing()
    things.document("c").set({"n": 1})
    assert [name for name, _ in watched.next()[0]] == ["c"]


def test_a_group_is_watched(things: Things, watch: Watch) -> None:
    group = things.id + "-group"
    watched = watch(things._client.collection_group(group))
    watched.next()
    things.document(f"a/{group}/b").set({"n": 1})
    assert watched.next()[0] == [("b", {"n": 1})]


def test_a_stopped_listener_hears_nothing(things: Things, watch: Watch) -> None:
    watched = watch(things)
    watched.next()
    watched.stop()
    things.document("a").set({})
    assert watched.nothing()


def test_listeners_do_not_disturb_each_other(things: Things, watch: Watch) -> None:
    first, second = watch(things), watch(things.document("a"))
    first.next()
    second.next()
    things.document("a").set({"n": 1})
    assert first.next()[0] == second.next()[0] == [("a", {"n": 1})]


def test_a_target_says_when_it_is_current(raw: Raw, things: Things) -> None:
    things.document("a").set({})
    target = {"target_id": 7, "query": _query(raw, things)}
    added, changed, current = "", "", ""
    for answer in _listen(raw, {"database": raw.database, "add_target": target}):
        kind = answer.target_change.target_change_type.name
        added = added or (kind == "ADD" and list(answer.target_change.target_ids) == [7])
        changed = changed or answer.document_change.document.name
        current = current or kind == "CURRENT"
        if current and kind == "NO_CHANGE" and not answer.target_change.target_ids:
            break
    assert added
    assert changed == raw.name(f"{things.id}/a")
    assert answer.target_change.read_time
    assert answer.target_change.resume_token


def test_a_listener_resumes_where_it_stopped(raw: Raw, things: Things) -> None:
    things.document("old").set({})
    target = {"target_id": 7, "query": _query(raw, things)}
    token = b""
    for answer in _listen(raw, {"database": raw.database, "add_target": target}):
        token = answer.target_change.resume_token or token
        if answer.target_change.target_change_type.name == "CURRENT":
            break
    things.document("new").set({})
    names = {"old"}
    resumed = {"database": raw.database, "add_target": {**target, "resume_token": token}}
    for answer in _listen(raw, resumed):
        if answer.target_change.target_change_type.name == "RESET":  # it may begin anew
            names.clear()
        if answer.document_change.document.name:
            names.add(answer.document_change.document.name.rpartition("/")[2])
        if answer.target_change.target_change_type.name == "CURRENT":
            break
    assert names == {"old", "new"}


def _query(raw: Raw, things: Things) -> dict[str, Any]:
    return {"parent": raw.root, "structured_query": {"from_": [{"collection_id": things.id}]}}


def _listen(raw: Raw, *requests: dict[str, Any]) -> Iterator[Any]:
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    for request in requests:
        waiting.put(request)
    metadata = [*raw.metadata, ("google-cloud-resource-prefix", raw.database)]
    call = raw.api.listen(iter(waiting.get, None), metadata=metadata, timeout=PATIENCE)
    try:
        yield from call
    finally:
        call.cancel()
        waiting.put(None)  # type: ignore[arg-type]
