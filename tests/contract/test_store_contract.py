"""What every Store guarantees, held by the double and by Firestore."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters import firestore_store
from shared.adapters.firestore_store import FirestoreStore
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    RecordTooLargeError,
    StaleError,
    StoreUnavailableError,
)
from shared.ports import Create, Delete, Increment, Put, Query, Update

if TYPE_CHECKING:
    from shared.ports import Document, Store


async def the(store: Store, path: str) -> Document:
    found = await store.get(path)
    assert found is not None
    return found


async def test_a_created_document_is_read_back(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [written] = await store.commit([Create(path, {"n": 1})])
    found = await the(store, path)
    assert (found.path, found.name, found.data) == (path, "a", {"n": 1})
    assert found.revision == written.revision


async def test_creating_what_exists_is_refused(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    await store.commit([Create(path, {"by": "first"})])
    with pytest.raises(AlreadyExistsError):
        await store.commit([Create(path, {"by": "second"})])
    assert (await the(store, path)).data == {"by": "first"}


async def test_fifty_concurrent_creates_have_one_winner(store: Store, collection: str) -> None:
    tries = [store.commit([Create(f"{collection}/a", {"by": n})]) for n in range(50)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, AlreadyExistsError)]
    assert len(lost) == 49
    [winner] = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
    assert (await the(store, f"{collection}/a")).data == {"by": winner}


async def test_an_update_replaces_only_the_given_fields(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"kept": 1, "map": {"old": 1}})])
    [second] = await store.commit([Update(path, {"map": {"new": 2}}, first.revision)])
    found = await the(store, path)
    assert found.data == {"kept": 1, "map": {"new": 2}}
    assert found.revision == second.revision != first.revision


async def test_a_stale_update_is_refused(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"n": 1})])
    await store.commit([Update(path, {"n": 2}, first.revision)])
    with pytest.raises(StaleError):
        await store.commit([Update(path, {"n": 3}, first.revision)])
    assert (await the(store, path)).data == {"n": 2}


async def test_one_of_many_updates_at_a_revision_wins(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"by": None})])
    tries = [store.commit([Update(path, {"by": n}, first.revision)]) for n in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, StaleError) for outcome in outcomes) == 19


async def test_an_update_of_a_missing_document_is_refused(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [written] = await store.commit([Create(path, {"n": 1})])
    await store.commit([Delete(path)])
    with pytest.raises(StaleError):
        await store.commit([Update(path, {"n": 2}, written.revision)])
    assert await store.get(path) is None


async def test_an_update_at_a_revision_that_never_was_is_refused(
    store: Store, collection: str
) -> None:
    await store.commit([Create(f"{collection}/a", {"n": 1})])
    with pytest.raises(StaleError):
        await store.commit([Update(f"{collection}/a", {"n": 2}, "nonsense")])


async def test_a_revision_survives_json(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    for n in range(5):  # a time's digits differ, and trailing zeros must not matter
        await store.commit([Put(path, {"n": n})])
        revision = json.loads(json.dumps((await the(store, path)).revision))
        [written] = await store.commit([Update(path, {"m": n}, revision)])
        assert (await the(store, path)).revision == written.revision


async def test_a_write_that_changes_nothing_keeps_the_revision(
    store: Store, collection: str
) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"n": 1})])
    [again] = await store.commit([Put(path, {"n": 1})])
    assert again.revision == first.revision == (await the(store, path)).revision


async def test_a_batch_that_fails_writes_nothing(store: Store, collection: str) -> None:
    there, _ = await store.commit(
        [Create(f"{collection}/there", {"n": 1}), Create(f"{collection}/too", {"n": 1})]
    )
    with pytest.raises(AlreadyExistsError):
        await store.commit(
            [
                Create(f"{collection}/new", {}),
                Update(f"{collection}/there", {"n": 2}, there.revision),
                Increment(f"{collection}/count", {"n": 1}),
                Put(f"{collection}/put", {"n": 1}),
                Create(f"{collection}/too", {"n": 3}),
            ]
        )
    assert [found.data for found in await store.find(Query(collection))] == [{"n": 1}, {"n": 1}]


async def test_results_are_in_the_order_of_the_writes(store: Store, collection: str) -> None:
    await store.commit([Put(f"{collection}/gone", {"n": 1})])
    results = await store.commit(
        [
            Create(f"{collection}/a", {"n": 1}),
            Delete(f"{collection}/gone"),
            Increment(f"{collection}/b", {"n": 7}),
            Increment(f"{collection}/c", {"n": 9}),
        ]
    )
    assert [result.counters for result in results] == [{}, {}, {"n": 7}, {"n": 9}]
    assert (await the(store, f"{collection}/c")).revision == results[3].revision


async def test_increments_return_each_counters_new_value(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Increment(path, {"zebra": 1, "ant": 10, "mole": 0}, {"x": "y"})])
    [second] = await store.commit([Increment(path, {"zebra": 1, "ant": 20, "mole": -3})])
    assert first.counters == {"zebra": 1, "ant": 10, "mole": 0}
    assert second.counters == {"zebra": 2, "ant": 30, "mole": -3}
    assert (await the(store, path)).data == {"zebra": 2, "ant": 30, "mole": -3, "x": "y"}


async def test_an_increment_replaces_the_plain_fields_beside_it(
    store: Store, collection: str
) -> None:
    path = f"{collection}/a"
    await store.commit([Put(path, {"n": "not a number", "map": {"old": 1}, "kept": True})])
    [written] = await store.commit([Increment(path, {"n": 2}, {"map": {"new": 1}})])
    assert written.counters == {"n": 2}
    assert (await the(store, path)).data == {"n": 2, "map": {"new": 1}, "kept": True}


async def test_fifty_concurrent_increments_are_all_counted_and_told_apart(
    store: Store, collection: str
) -> None:
    commits = [
        store.commit([Create(f"{collection}/own{n}", {}), Increment(f"{collection}/a", {"n": 1})])
        for n in range(50)
    ]
    results = await asyncio.gather(*commits)
    assert sorted(result[1].counters["n"] for result in results) == list(range(1, 51))
    assert (await the(store, f"{collection}/a")).data == {"n": 50}


async def test_put_replaces_the_whole_document(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    await store.commit([Put(path, {"a": 1, "b": 2})])
    await store.commit([Put(path, {"b": 3})])
    assert (await the(store, path)).data == {"b": 3}


async def test_delete_removes_and_may_be_repeated(store: Store, collection: str) -> None:
    path = f"{collection}/a"
    await store.commit([Put(path, {})])
    await store.commit([Delete(path)])
    await store.commit([Delete(path)])
    assert await store.get(path) is None


async def test_a_document_is_deleted_at_a_revision_or_not_at_all(
    store: Store, collection: str
) -> None:
    """Two writes to one document in one commit: the first one's precondition holds for both."""
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"n": 1, "size": 1})])
    [second] = await store.commit([Update(path, {"n": 2}, first.revision)])
    with pytest.raises(StaleError):
        await store.commit([Update(path, {"size": 1}, first.revision), Delete(path)])
    assert (await the(store, path)).data == {"n": 2, "size": 1}
    await store.commit([Update(path, {"size": 1}, second.revision), Delete(path)])
    assert await store.get(path) is None


async def test_a_delete_may_name_the_revision_itself(store: Store, collection: str) -> None:
    path, count = f"{collection}/a", f"{collection}/count"
    [first] = await store.commit([Create(path, {"n": 1})])
    [second] = await store.commit([Update(path, {"n": 2}, first.revision)])
    with pytest.raises(StaleError):
        await store.commit([Delete(path, first.revision), Increment(count, {"n": 1})])
    assert (await the(store, path)).data == {"n": 2}
    await store.commit([Delete(path, second.revision), Increment(count, {"n": 1})])
    with pytest.raises(StaleError):  # it is not there any more
        await store.commit([Delete(path, second.revision), Increment(count, {"n": 1})])
    assert await store.get(path) is None
    assert (await the(store, count)).data == {"n": 1}


async def test_no_writes_are_no_commit(store: Store) -> None:
    assert await store.commit([]) == []


async def test_get_many_keeps_order_gaps_and_repetitions(store: Store, collection: str) -> None:
    names = ["b", "a", "c"]
    await store.commit([Create(f"{collection}/{name}", {"name": name}) for name in names])
    paths = [f"{collection}/{name}" for name in ["c", "missing", "a", "b", "a"]]
    found = await store.get_many(paths)
    assert [document and document.data["name"] for document in found] == ["c", None, "a", "b", "a"]
    assert await store.get_many([]) == []


async def test_every_kind_of_value_comes_back_as_it_went(store: Store, collection: str) -> None:
    data: dict[str, Any] = {
        "text": "Zürich \U0001f680 \u0000 \u2028 \"'\\",
        "empty": "",
        "json": json.dumps({"nested": [[1, [2]], {"a": None}]}, ensure_ascii=False),
        "whole": 2**53 + 1,
        "real": 0.1,
        "yes": True,
        "none": None,
        "bytes": bytes(range(256)),
        "time": datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC),
        "list": [1, "two", {"three": [3.0]}, None],
        "map": {"with.dot": {"and/slash": [{"deep": datetime(1999, 1, 1, tzinfo=UTC)}]}},
        "no_items": [],
        "no_fields": {},
    }
    await store.commit([Create(f"{collection}/a", data)])
    found = (await the(store, f"{collection}/a")).data
    assert found == data
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in data.items()
    }


async def test_what_was_read_is_the_readers_own(store: Store, collection: str) -> None:
    given: dict[str, Any] = {"list": [1]}
    await store.commit([Create(f"{collection}/a", given)])
    given["list"].append(2)
    (await the(store, f"{collection}/a")).data["list"].append(3)
    assert (await the(store, f"{collection}/a")).data == {"list": [1]}


async def test_a_list_in_a_list_is_refused_for_good(store: Store, collection: str) -> None:
    with pytest.raises(ActionFailedError):
        await store.commit([Put(f"{collection}/a", {"map": {"list": [[1]]}})])


async def test_a_field_name_with_a_dot_is_one_field(store: Store, collection: str) -> None:
    await store.commit([Put(f"{collection}/a", {"dotted.name": 1, "ü/`": {"x.y": 2}})])
    assert (await the(store, f"{collection}/a")).data == {"dotted.name": 1, "ü/`": {"x.y": 2}}


@pytest.mark.parametrize("data", [{"text": "half \ud800"}, {"map": {"list": ["\ud800"]}}])
async def test_half_a_character_is_refused_for_good(
    store: Store, collection: str, data: dict[str, Any]
) -> None:
    with pytest.raises(ActionFailedError):
        await store.commit([Put(f"{collection}/a", data)])


@pytest.mark.parametrize("name", ["a/b", "", "..", "__reserved__", "a//b"])
async def test_a_name_that_no_document_can_have_is_not_found(
    store: Store, collection: str, name: str
) -> None:
    assert await store.get(f"{collection}/{name}") is None


LARGE = {
    "one long text": {"text": "x" * 1_048_500},
    "many bytes": {"data": b"x" * 1_100_000},
    "many fields": {f"field{n}": "y" * 100_000 for n in range(11)},
    "many times the limit": {"text": "x" * 6_000_000},
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
async def test_a_document_over_a_mebibyte_is_refused(
    store: Store, collection: str, data: dict[str, Any]
) -> None:
    with pytest.raises(RecordTooLargeError):
        await store.commit([Create(f"{collection}/a", data)])
    assert await store.get(f"{collection}/a") is None


async def test_a_commit_larger_than_a_request_is_refused(store: Store, collection: str) -> None:
    writes = [Put(f"{collection}/{n}", {"text": "x" * 1_000_000}) for n in range(11)]
    with pytest.raises(RecordTooLargeError):
        await store.commit(writes)
    assert await store.get(f"{collection}/0") is None


async def test_a_document_just_under_a_mebibyte_is_kept(store: Store, collection: str) -> None:
    data = {"text": "x" * 1_040_000}
    await store.commit([Create(f"{collection}/a", data)])
    assert (await the(store, f"{collection}/a")).data == data


async def test_a_document_that_grows_over_a_mebibyte_is_refused(
    store: Store, collection: str
) -> None:
    path = f"{collection}/a"
    [first] = await store.commit([Create(path, {"a": "x" * 700_000})])
    with pytest.raises(RecordTooLargeError):
        await store.commit([Update(path, {"b": "x" * 700_000}, first.revision)])
    assert (await the(store, path)).revision == first.revision


async def test_firestore_that_is_not_there_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{unused_tcp_port}")
    client = firestore_store.build_client("segue-nowhere")
    store = FirestoreStore(client, patience=0.3)
    with pytest.raises(StoreUnavailableError):
        await store.commit([Put("a/b", {})])
    with pytest.raises(StoreUnavailableError):
        await store.get("a/b")
    with pytest.raises(StoreUnavailableError):
        await store.find(Query("a"))
