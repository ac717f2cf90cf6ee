"""Which queries need a declared index, which one serves, and what is said without it."""

from __future__ import annotations

import base64
from pathlib import Path
from random import Random

import pytest
import yaml

from emulator.embedded.firestore.aggregation import aggregate
from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.model import (
    NAME,
    Aggregation,
    Composite,
    FieldFilter,
    FindNearest,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.query.required_indexes import DeclaredIndexes
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.firestore.values import Reference
from emulator.embedded.refusal import Refusal, Status

DATABASE = "projects/p/databases/(default)"
LINK = "https://console.firebase.google.com/v1/r/project/p/firestore/indexes?"
A, B, T = Order(("a",)), Order(("b",)), Order(("t",))
DOWN = Order(("t",), descending=True)
BY_NAME_DOWN = Order(NAME, descending=True)


def equal(*names: str) -> Composite:
    return Composite("and", tuple(FieldFilter((name,), Operator.EQUAL, 1) for name in names))


def also(where: Composite, *more: FieldFilter) -> Composite:
    return Composite("and", (where, *more))


def above(name: str) -> FieldFilter:
    return FieldFilter((name,), Operator.GREATER_THAN, 1)


def contains(name: str) -> FieldFilter:
    return FieldFilter((name,), Operator.ARRAY_CONTAINS, 1)


def declare(*indexes: list[dict[str, object]], scope: str = "collection", **more: object):
    entries = [{"collection": "c", "scope": scope, "fields": fields} for fields in indexes]
    return DeclaredIndexes({"indexes": entries, **more})


def asc(*names: str) -> list[dict[str, object]]:
    return [{"path": name} for name in names]


def desc(name: str) -> dict[str, object]:
    return {"path": name, "order": "desc"}


def refused(query: Query, declared: DeclaredIndexes | None = None, **more) -> str:
    with pytest.raises(Refusal) as caught:
        (declared or declare()).require(query, DATABASE, **more)
    assert caught.value.status is Status.FAILED_PRECONDITION
    return caught.value.message


@pytest.mark.parametrize(
    "query",
    [
        Query("", "c"),
        Query("", "c", where=equal("a", "b", "m")),
        Query("", "c", where=also(equal("a"), contains("l"))),
        Query("", "c", where=also(equal("a"), FieldFilter(("b",), Operator.IN, [1, 2]))),
        Query("", "c", where=above("a"), order_by=(A,)),
        Query("", "c", order_by=(DOWN,)),
        Query(
            "", "c", where=Composite("and", (above("a"), FieldFilter(("a",), Operator.EQUAL, 1)))
        ),
        Query("", "c", where=equal("a"), order_by=(A,)),
        Query("", "c", where=equal("a", "b"), order_by=(BY_NAME_DOWN,)),
        Query("", "c", where=contains("l"), order_by=(Order(NAME),)),
        Query("", "c", where=FieldFilter(NAME, Operator.GREATER_THAN, Reference("x"))),
        Query("", "c", where=Composite("or", (equal("a"), equal("b")))),
        Query("", "c", descendants=True),
        Query("", None, descendants=True),
    ],
)
def test_what_single_field_indexes_serve_alone_or_merged_needs_none_declared(query):
    declare().require(query, DATABASE)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query("", "c", where=equal("a"), order_by=(DOWN,)), [*asc("a"), desc("t")]),
        (Query("", "c", where=also(equal("a"), above("t"))), asc("a", "t")),
        (Query("", "c", where=also(equal("b", "a"), above("t"))), asc("a", "b", "t")),
        (Query("", "c", where=also(equal("a"), above("t"))), [desc("a"), *asc("t")]),
        (Query("", "c", order_by=(A, B)), asc("a", "b")),
        (Query("", "c", order_by=(A, B, Order(NAME))), asc("a", "b", "__name__")),
        (Query("", "c", where=also(equal(), above("a"), above("b"))), asc("a", "b")),
        (
            Query("", "c", where=contains("l"), order_by=(T,)),
            [{"path": "l", "contains": True}, *asc("t")],
        ),
        (
            Query("", "c", where=also(equal("a"), contains("l")), order_by=(DOWN,)),
            [*asc("a"), {"path": "l", "contains": True}, desc("t")],
        ),
        (Query("", "c", order_by=(BY_NAME_DOWN,)), [desc("__name__")]),
        (Query("", "c", order_by=(T, BY_NAME_DOWN)), [*asc("t"), desc("__name__")]),
    ],
)
def test_a_composite_index_is_needed_and_serves(query, index):
    assert refused(query).startswith(f"The query requires an index. You can create it here: {LINK}")
    declare(index).require(query, DATABASE)


@pytest.mark.parametrize(
    "index",
    [
        asc("a", "t"),  # the other direction: an index is read one way only
        [desc("a"), *asc("t")],
        [desc("t"), *asc("a")],
        [*asc("a"), desc("t"), *asc("b")],
        [*asc("a", "b"), desc("t")],
        [desc("t")],
        [*asc("a"), desc("t"), *asc("__name__")],
        [{"path": "a", "contains": True}, desc("t")],
    ],
)
def test_an_index_with_other_fields_or_directions_does_not_serve(index):
    refused(Query("", "c", where=equal("a"), order_by=(DOWN,)), declare(index))


def test_indexes_that_share_their_order_are_merged():
    query = Query("", "c", where=equal("a", "b", "m"), order_by=(DOWN,))
    pair, rest = [*asc("a", "b"), desc("t")], [*asc("m"), desc("t")]
    declare(pair, rest).require(query, DATABASE)
    refused(query, declare(pair))
    refused(query, declare(pair, asc("m", "t")))


def test_every_alternative_of_an_or_needs_its_index():
    query = Query("", "c", where=Composite("or", (equal("a"), equal("b"))), order_by=(T,))
    refused(query, declare(asc("a", "t")))
    declare(asc("a", "t"), asc("b", "t")).require(query, DATABASE)


def test_a_scope_serves_only_itself():
    one = Query("", "c", where=equal("a"), order_by=(T,))
    group = Query("", "c", descendants=True, where=equal("a"), order_by=(T,))
    refused(group, declare(asc("a", "t")))
    refused(one, declare(asc("a", "t"), scope="group"))
    declare(asc("a", "t"), scope="group").require(group, DATABASE)


def test_a_group_has_only_the_single_field_indexes_that_are_declared():
    def group(**query) -> Query:
        return Query("", "c", descendants=True, **query)

    assert refused(group(where=equal("a"))).startswith(
        "The query requires a COLLECTION_GROUP_ASC index for collection c and field a. You can "
        f"create it here: {LINK}create_exemption="
    )
    assert "COLLECTION_GROUP_DESC index" in refused(group(order_by=(DOWN,)))
    assert "COLLECTION_GROUP_CONTAINS index" in refused(group(where=contains("l")))
    declared = declare(asc("a"), [desc("b")], [{"path": "l", "contains": True}], scope="group")
    declared.require(group(where=also(equal("a", "b"), contains("l"))), DATABASE)
    declared.require(group(where=above("a")), DATABASE)
    assert "COLLECTION_GROUP_ASC index" in refused(group(where=above("b")), declared)


def test_a_field_that_is_not_indexed_cannot_be_filtered_or_ordered_by():
    declared = declare(unindexed={"c": ["m.x", "`a.b`"]})
    for field in (("m", "x"), ("m", "x", "y"), ("a.b",)):
        where = FieldFilter(field, Operator.EQUAL, 1)
        assert "COLLECTION_ASC index for collection c and field" in refused(
            Query("", "c", where=where), declared
        )
    assert "COLLECTION_DESC" in refused(
        Query("", "c", order_by=(Order(("m", "x"), descending=True),)), declared
    )
    declared.require(Query("", "c", where=FieldFilter(("m", "y"), Operator.EQUAL, 1)), DATABASE)
    declared.require(Query("", "d", where=FieldFilter(("m", "x"), Operator.EQUAL, 1)), DATABASE)


def test_a_summed_field_takes_part_in_the_index():
    query = Query("", "c", where=equal("a"))
    refused(query, aggregated=[("n",)])
    declare(asc("a", "n")).require(query, DATABASE, aggregated=[("n",)])
    declare().require(Query("", "c"), DATABASE, aggregated=[("n",)])


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        (None, []),
        (equal("a"), asc("a")),
        (also(equal("a"), contains("l")), [{"path": "l", "contains": True}, *asc("a")]),
        (above("a"), asc("a")),
    ],
)
def test_a_nearest_search_needs_a_vector_index_with_its_filters(where, fields):
    nearest = FindNearest(("v",), (1.0, 2.0), "COSINE", 5)
    query = Query("", "c", where=where, nearest=nearest)
    declare([*fields, {"path": "v", "vector": 2}]).require(query, DATABASE)
    for wrong in (
        [*fields, {"path": "v", "vector": 3}],
        [*fields, {"path": "w", "vector": 2}],
        [*fields, *asc("x"), {"path": "v", "vector": 2}],
    ):
        assert refused(query, declare(wrong)).startswith("Missing vector index configuration.")


def test_a_missing_vector_index_is_told_with_the_command_that_creates_it():
    nearest = FindNearest(("m", "v"), (1.0, 2.0, 3.0), "COSINE", 5)
    assert refused(Query("", "c", where=equal("n"), nearest=nearest)) == (
        "Missing vector index configuration. Please create the required index with the following "
        "gcloud command: gcloud firestore indexes composite create --project=p "
        "--collection-group=c --query-scope=COLLECTION "
        "--field-config=order=ASCENDING,field-path=n "
        '--field-config=vector-config=\'{"dimension":"3","flat": "{}"}\',field-path=m.v'
    )


def test_the_link_holds_the_index_as_the_console_reads_it():
    query = Query(
        "", "zaps", where=equal("receiverId"), order_by=(Order(("at",), descending=True),)
    )
    message = refused(query)
    code = message.removeprefix(
        f"The query requires an index. You can create it here: {LINK}create_composite="
    )
    decoded = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
    name = f"{DATABASE}/collectionGroups/zaps/indexes/_".encode()
    assert decoded == (
        b"\x0a" + bytes([len(name)]) + name + b"\x10\x01"
        b"\x1a\x0e\x0a\x0areceiverId\x10\x01\x1a\x06\x0a\x02at\x10\x02\x1a\x0c\x0a\x08__name__\x10\x02"
    )


def test_inequalities_on_several_fields_add_where_to_read_on():
    query = Query("", "c", where=also(equal(), above("a"), above("b")))
    assert refused(query).endswith("docs/query-data/multiple-range-fields.")


def test_queries_and_aggregations_of_a_database_are_held_to_what_is_declared():
    database = Database(DATABASE, lambda: 0, Random(0), declared=declare())
    with pytest.raises(Refusal, match="requires an index"):
        run_query(database, Query("", "c", where=equal("a"), order_by=(T,)))
    with pytest.raises(Refusal, match="requires an index"):
        aggregate(database, Query("", "c", where=equal("a")), [Aggregation("s", "sum", ("n",))])
    lax = Database(DATABASE, lambda: 0, Random(0))
    assert run_query(lax, Query("", "c", where=equal("a"), order_by=(T,))).documents == []


@pytest.mark.parametrize(
    "source",
    [
        [],
        {"indexes": [{"collection": "c", "fields": []}]},
        {"indexes": [{"collection": "c", "fields": asc("a"), "scope": "all"}]},
        {"indexes": [{"collection": "c", "fields": "a"}]},
        {"indexes": [{"collection": "c", "fields": [{"path": "a", "order": "up"}]}]},
        {"indexes": [{"collection": "c", "fields": [{"order": "asc"}]}]},
        {"indexes": [{"collection": "c", "fields": asc("a"), "fileds": []}]},
    ],
)
def test_a_malformed_declaration_is_refused(source):
    with pytest.raises(ValueError, match=r"not a|no mapping"):
        DeclaredIndexes(source)


def test_field_paths_are_written_with_backquotes_where_a_name_has_a_dot():
    declared = declare(asc("a.`b.c`.d", "t"))
    where = FieldFilter(("a", "b.c", "d"), Operator.EQUAL, 1)
    declared.require(Query("", "c", where=where, order_by=(T,)), DATABASE)
    with pytest.raises(ValueError, match="Invalid property path"):
        declare(asc("a..b"))


def test_the_projects_own_declaration_serves_what_it_is_there_for():
    file = Path(__file__).parents[6] / "infra" / "indexes.yaml"
    declared = DeclaredIndexes(yaml.safe_load(file.read_text(encoding="utf-8")))
    newest = (Order(("created_at",), descending=True),)
    declared.require(Query("", "runs", where=equal("flow", "status"), order_by=newest), DATABASE)
    with pytest.raises(Refusal):
        declared.require(Query("", "runs", where=equal("outputs")), DATABASE)
