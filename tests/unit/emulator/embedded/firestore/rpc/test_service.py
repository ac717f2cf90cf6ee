"""The handlers answer as the interface says; what they do not serve, they name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from random import Random
from typing import Any

import pytest

from emulator.embedded import methods
from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.rpc.service import FirestoreService
from emulator.embedded.firestore.rpc.wire_values import decode, encode
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status

DB = "projects/p/databases/(default)"
ROOT = f"{DB}/documents"
QUERY = {"from_": [{"collection_id": "c"}], "order_by": [{"field": {"field_path": "n"}}]}
GROUP = {
    "from_": [{"collection_id": "c", "all_descendants": True}],
    "order_by": [{"field": {"field_path": "__name__"}, "direction": 1}],
}
PARTITION = {"parent": ROOT, "structured_query": GROUP}
IN_NO_LIST = {"field_filter": {"field": {"field_path": "n"}, "op": 8, "value": encode(1)}}
INCREMENT_BY_TEXT = {
    "update": {"name": f"{ROOT}/c/x"},
    "update_transforms": [{"field_path": "n", "increment": encode("1")}],
}


class Client:
    """Calls handlers by the name of the method, with requests by the names of their fields."""

    def __init__(self) -> None:
        clock = count(1_700_000_000_000_000).__next__
        self.service = FirestoreService(Databases(clock, Random(0)))
        self._handlers = self.service.handlers()

    async def __call__(self, method: str, **fields: Any) -> Any:
        """The response, or all of them."""
        handler = self._handlers[f"/google.firestore.v1.Firestore/{method}"]
        answer = handler(getattr(firestore_pb, f"{method}Request")(**fields), None)
        if isinstance(answer, AsyncIterator):
            return [response async for response in answer]
        return await answer

    async def put(self, path: str, n: float) -> None:
        await self("Commit", database=DB, writes=[update(path, n)])

    async def begin(self, **options: Any) -> bytes:
        begun = await self("BeginTransaction", database=DB, options=options)
        return bytes(begun.transaction)

    async def refused(self, method: str, **fields: Any) -> tuple[Status, str]:
        with pytest.raises(Refusal) as caught:
            await self(method, **fields)
        return caught.value.status, caught.value.message


def update(path: str, n: float, **more: Any) -> Any:
    return {"update": {"name": f"{ROOT}/{path}", "fields": {"n": encode(n)}}, **more}


def fields_of(document: Any) -> dict[str, Any]:
    return {name: decode(value) for name, value in document.fields.items()}


@pytest.fixture
def client() -> Client:
    return Client()


def test_every_method_of_the_service_has_a_handler(client: Client) -> None:
    assert set(client.service.handlers()) == set(methods.FIRESTORE)


async def test_a_commit_tells_times_and_transform_results(client: Client) -> None:
    increment = {"field_path": "n", "increment": encode(2)}
    write = update("c/x", 1, update_transforms=[increment])
    done = await client("Commit", database=DB, writes=[write, {"delete": f"{ROOT}/c/y"}])
    first, second = done.write_results
    assert first.update_time == done.commit_time
    assert decode(first.transform_results[0]) == 3
    assert not second.HasField("update_time")


async def test_a_commit_of_more_than_ten_megabytes_is_refused(client: Client) -> None:
    large = {"update": {"name": f"{ROOT}/c/x", "fields": {"b": encode(b"0" * 1_000_000)}}}
    status, message = await client.refused("Commit", database=DB, writes=[large] * 11)
    assert status is Status.INVALID_ARGUMENT
    assert "10485760" in message
    await client("Commit", database=DB, writes=[large] * 10)


async def test_documents_are_created_updated_read_and_deleted_by_name(client: Client) -> None:
    document = {"fields": {"n": encode(1), "m": encode({"a": 1, "b": 2})}}
    make = {"parent": f"{ROOT}/a/b", "collection_id": "c", "document": document}
    made = await client("CreateDocument", **make)
    assert made.name.rpartition("/")[0] == f"{ROOT}/a/b/c"
    assert len(made.name.rpartition("/")[2]) == 20
    named = await client("CreateDocument", **make, document_id="x", mask={"field_paths": ["m.b"]})
    assert fields_of(named) == {"m": {"b": 2}}
    assert (await client.refused("CreateDocument", **make, document_id="x"))[0] is (
        Status.ALREADY_EXISTS
    )
    changed = await client(
        "UpdateDocument",
        document={"name": named.name, "fields": {"n": encode(5)}},
        update_mask={"field_paths": ["n", "m.a"]},
    )
    assert fields_of(changed) == {"n": 5, "m": {"b": 2}}
    assert await client("GetDocument", name=named.name) == changed
    await client("DeleteDocument", name=named.name)
    status, message = await client.refused("GetDocument", name=named.name)
    assert (status, message) == (Status.NOT_FOUND, f'Document "{named.name}" not found.')


@pytest.mark.parametrize("wrong", [{"document_id": "a/b/c"}, {"collection_id": "c/d/e"}])
async def test_a_created_document_lies_where_it_is_said_to(client: Client, wrong: Any) -> None:
    asked = {"parent": ROOT, "collection_id": "c", **wrong}
    assert (await client.refused("CreateDocument", **asked))[0] is Status.INVALID_ARGUMENT


async def test_a_batch_get_answers_each_name_once_in_order(client: Client) -> None:
    await client.put("c/x", 1)
    names = [f"{ROOT}/c/no", f"{ROOT}/c/x", f"{ROOT}/c/no"]
    missing, found = await client("BatchGetDocuments", database=DB, documents=names)
    assert missing.missing == names[0]
    assert found.found.name == names[1]
    assert missing.read_time == found.read_time
    assert found.read_time.nanos > found.found.update_time.nanos


async def test_a_batch_get_of_nothing_tells_no_more_than_the_transaction(client: Client) -> None:
    assert await client("BatchGetDocuments", database=DB) == []
    (begun,) = await client("BatchGetDocuments", database=DB, new_transaction={})
    assert begun.transaction


async def test_a_read_can_begin_the_transaction(client: Client) -> None:
    await client.put("c/x", 1)
    new = {"new_transaction": {"read_write": {}}}
    (read,) = await client("BatchGetDocuments", database=DB, documents=[f"{ROOT}/c/x"], **new)
    asked = {"parent": ROOT, "structured_query": QUERY}
    begun, *found = await client("RunQuery", **asked, new_transaction={})
    assert begun.transaction
    assert [one.document.name for one in found] == [f"{ROOT}/c/x"]
    await client("Commit", database=DB, transaction=read.transaction, writes=[update("c/x", 2)])
    (again,) = await client("RunQuery", **asked, transaction=begun.transaction)
    assert fields_of(again.document) == {"n": 1}


async def test_transactions_follow_their_options(client: Client) -> None:
    for mode, expected in ((1, False), (2, True), (0, True)):
        begun = await client.begin(read_write={"concurrency_mode": mode})
        await client("GetDocument", name=await _any(client), transaction=begun)
        database = client.service._databases.get(DB)
        assert bool(database.transactions.find(begun).owner.held) is expected
        await client("Rollback", database=DB, transaction=begun)
    with_past = {"read_only": {"read_time": {"seconds": 1}}}
    refused = await client.refused("BeginTransaction", database=DB, options=with_past)
    assert refused[0] is Status.UNIMPLEMENTED


async def _any(client: Client) -> str:
    await client.put("c/any", 1)
    return f"{ROOT}/c/any"


async def test_a_query_tells_what_it_skipped_and_its_time_when_empty(client: Client) -> None:
    for n in range(3):
        await client.put(f"c/{n}", n)
    first, second = await client("RunQuery", parent=ROOT, structured_query={**QUERY, "offset": 1})
    assert (first.skipped_results, second.skipped_results) == (1, 0)
    (empty,) = await client("RunQuery", parent=ROOT, structured_query={**QUERY, "offset": 9})
    assert empty.skipped_results == 3
    assert empty.HasField("read_time")
    assert not empty.HasField("document")


async def test_aggregates_are_told_by_alias(client: Client) -> None:
    for n in range(3):
        await client.put(f"c/{n}", n)
    asked = {
        "structured_query": QUERY,
        "aggregations": [{"count": {}}, {"alias": "s", "sum": {"field": {"field_path": "n"}}}],
    }
    (told,) = await client("RunAggregationQuery", parent=ROOT, structured_aggregation_query=asked)
    found = {alias: decode(value) for alias, value in told.result.aggregate_fields.items()}
    assert found == {"field_1": 3, "s": 3}


async def test_a_batch_write_tells_each_result(client: Client) -> None:
    await client.put("c/x", 1)
    exists = {"current_document": {"exists": False}}
    writes = [update("c/a", 1), update("c/x", 2, **exists), update("c/b", 3)]
    done = await client("BatchWrite", database=DB, writes=writes)
    assert [one.code for one in done.status] == [0, int(Status.ALREADY_EXISTS), 0]
    assert [one.HasField("update_time") for one in done.write_results] == [True, False, True]


@pytest.mark.parametrize("size", [0, 1, 2, 5])
async def test_lists_come_page_by_page(client: Client, size: int) -> None:
    names = [f"d{n}" for n in range(5)]
    for name in names:
        await client.put(f"c/{name}", 1)
        await client.put(f"c/parent/{name}/x", 1)
    await client.put("c/ghost/s/x", 1)
    assert await pages(client, "ListDocuments", size, parent=ROOT, collection_id="c") == [
        f"{ROOT}/c/{name}" for name in names
    ]
    shown = {"parent": ROOT, "collection_id": "c", "show_missing": True}
    everything = await pages(client, "ListDocuments", size, **shown)
    assert everything == [f"{ROOT}/c/{name}" for name in [*names, "ghost", "parent"]]
    assert await pages(client, "ListCollectionIds", size, parent=f"{ROOT}/c/parent") == names
    refused = await client.refused("ListDocuments", parent=ROOT, page_token="?")
    assert refused[0] is Status.INVALID_ARGUMENT


async def pages(client: Client, method: str, size: int, **fields: Any) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        page = await client(method, **fields, page_size=size, page_token=token)
        told = getattr(page, "collection_ids", None) or [one.name for one in page.documents]
        assert not size or len(told) <= size
        found += told
        token = page.next_page_token
        if not token:
            return found


async def test_partitions_cut_a_group_into_parts(client: Client) -> None:
    for n in range(10):
        await client.put(f"p/{n % 3}/c/d{n}", n)
    cut = await client("PartitionQuery", **PARTITION, partition_count=3)
    names = [one.values[0].reference_value for one in cut.partitions]
    assert len(names) == 3
    assert names == sorted(names)
    assert (await client.refused("PartitionQuery", **PARTITION))[0] is Status.INVALID_ARGUMENT
    plain = {"parent": ROOT, "structured_query": QUERY, "partition_count": 1}
    assert (await client.refused("PartitionQuery", **plain))[0] is Status.INVALID_ARGUMENT


async def test_a_write_stream_commits_request_by_request(client: Client) -> None:
    async def requests() -> AsyncIterator[Any]:
        yield firestore_pb.WriteRequest(database=DB)
        yield firestore_pb.WriteRequest(writes=[update("c/x", 1), update("c/y", 2)])

    handler = client.service.handlers()["/google.firestore.v1.Firestore/Write"]
    opened, done = [response async for response in handler(requests(), None)]
    assert opened.stream_id
    assert len({opened.stream_token, done.stream_token}) == 2
    assert len(done.write_results) == 2
    assert (await client("GetDocument", name=f"{ROOT}/c/y")).update_time == done.commit_time


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("ExecutePipeline", {"database": DB}),
        ("GetDocument", {"name": f"{ROOT}/c/x", "read_time": {"seconds": 1}}),
        ("BatchGetDocuments", {"database": DB, "read_time": {"seconds": 1}}),
        ("ListDocuments", {"parent": ROOT, "read_time": {"seconds": 1}}),
        ("ListDocuments", {"parent": ROOT, "transaction": b"any"}),
        ("ListDocuments", {"parent": ROOT, "order_by": "n desc"}),
        ("ListCollectionIds", {"parent": ROOT, "read_time": {"seconds": 1}}),
        ("RunQuery", {"parent": ROOT, "structured_query": QUERY, "read_time": {"seconds": 1}}),
        ("RunQuery", {"parent": ROOT, "structured_query": QUERY, "explain_options": {}}),
    ],
)
async def test_what_is_not_served_is_refused_as_such(
    client: Client, method: str, fields: Any
) -> None:
    status, message = await client.refused(method, **fields)
    assert (status, message.endswith("is not served.")) == (Status.UNIMPLEMENTED, True)
    assert "read_time" not in fields or "read_time" in message


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Commit", {"database": "projects/p"}),
        ("BeginTransaction", {}),
        ("GetDocument", {"name": ROOT}),
        ("RunQuery", {"parent": ROOT}),
        ("RunQuery", {"parent": f"{ROOT}/c", "structured_query": QUERY}),
        ("RunAggregationQuery", {"parent": ROOT}),
        ("RunQuery", {"parent": ROOT, "structured_query": {**QUERY, "offset": -1}}),
        ("RunQuery", {"parent": ROOT, "structured_query": {**QUERY, "limit": {"value": -1}}}),
        ("RunQuery", {"parent": ROOT, "structured_query": {"from_": [{"collection_id": "a/b"}]}}),
        ("RunQuery", {"parent": ROOT, "structured_query": {**QUERY, "where": IN_NO_LIST}}),
        ("ListDocuments", {"parent": ROOT, "collection_id": "a/b", "show_missing": True}),
        ("ListDocuments", {"parent": ROOT, "collection_id": ".."}),
        ("ListDocuments", {"parent": ROOT, "page_size": -1}),
        ("PartitionQuery", {**PARTITION, "partition_count": 1, "page_size": -1}),
        ("BeginTransaction", {"database": DB, "options": {"read_write": {"concurrency_mode": 9}}}),
        ("Commit", {"database": DB, "writes": [INCREMENT_BY_TEXT]}),
        ("Rollback", {"database": DB, "transaction": b"no"}),
        ("GetDocument", {"name": f"{ROOT}/c/x", "transaction": b"no"}),
    ],
)
async def test_what_is_malformed_is_refused_as_such(
    client: Client, method: str, fields: Any
) -> None:
    assert (await client.refused(method, **fields))[0] is Status.INVALID_ARGUMENT
