"""Laws of values, field paths and commits, over random ones."""

from __future__ import annotations

import math
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import (
    Delete,
    Document,
    Numeric,
    Precondition,
    Transforms,
    Update,
)
from emulator.embedded.firestore.paths import format_field_path, parse_field_path
from emulator.embedded.firestore.values import (
    GeoPoint,
    Reference,
    Timestamp,
    Vector,
    equal,
    identical,
    order_key,
    path_key,
)
from emulator.embedded.refusal import Refusal

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=64)
TEXTS = st.text(max_size=3)
IDS = st.sampled_from(["a", "b", "a!", "\x00", "é", "__id2__", "__id10__", "__id-1__"])
PATHS = st.lists(IDS, min_size=2, max_size=6).map(lambda ids: "/".join(ids[: len(ids) // 2 * 2]))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    FLOATS,
    TEXTS,
    st.binary(max_size=3),
    INTEGERS.map(Timestamp),
    PATHS.map(lambda path: Reference("projects/p/databases/d/documents/" + path)),
    st.builds(GeoPoint, st.sampled_from([-1.0, -0.0, 0.0]), st.sampled_from([1.0, 2.0])),
    st.lists(FLOATS, min_size=1, max_size=2).map(lambda values: Vector(tuple(values))),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.text(min_size=1, max_size=5).filter(
    lambda name: not (name.startswith("__") and name.endswith("__") and len(name) >= 4)
)
NUMBERS = st.integers(-1000, 1000)


def database() -> Database:
    return Database("projects/p/databases/d", lambda: 0, Random(0))


def state(one: Database) -> dict[str, Document]:
    return {document.path: document for document in one.documents}


@given(st.lists(VALUES, min_size=2, max_size=3))
def test_the_order_is_total_and_agrees_with_equality(values) -> None:
    for left, right in permutations(values, 2):
        less, greater = order_key(left) < order_key(right), order_key(right) < order_key(left)
        assert [less, greater, equal(left, right)].count(True) == 1
        assert not identical(left, right) or equal(left, right)
    keys = sorted(map(order_key, values))
    assert all(keys[0] <= key for key in keys)


@given(VALUES)
def test_every_value_is_equal_and_identical_to_itself(value) -> None:
    assert equal(value, value)
    assert identical(value, rebuilt(value))


def rebuilt(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return float("nan")
    if isinstance(value, list):
        return [rebuilt(item) for item in value]
    if isinstance(value, dict):
        return {name: rebuilt(value[name]) for name in reversed(value)}
    return value


@given(st.lists(NAMES, min_size=1, max_size=4).map(tuple))
def test_a_field_path_that_is_written_reads_the_same(path) -> None:
    assert parse_field_path(format_field_path(path)) == path


@given(st.sets(PATHS, max_size=12), st.lists(PATHS, max_size=6), PATHS)
def test_orders_kept_up_to_date_are_those_built_anew(put, removed, parent) -> None:
    kept, groups = Documents(), ("a", "b", None)
    for group in groups:
        list(kept.in_group(group))
    for path in put:
        kept.put(Document(path, {}, 1, 1))
        kept.collection(path.rpartition("/")[0])
    for path in removed:
        kept.remove(path)
    fresh = Documents()
    for path in sorted(put - set(removed)):
        fresh.put(Document(path, {}, 1, 1))
    for group in groups:
        for under in ("", parent):
            found = [one.path for one in kept.in_group(group, under)]
            assert found == [one.path for one in fresh.in_group(group, under)]
            assert found == sorted(found, key=path_key)
    for collection in {path.rpartition("/")[0] for path in put}:
        assert list(kept.collection(collection)) == list(fresh.collection(collection))
    assert kept._tree == fresh._tree


PRECONDITIONS = st.sampled_from(
    [Precondition(), Precondition(exists=True), Precondition(exists=False)]
)
SMALL_PATHS = st.sampled_from(["a/1", "a/2", "a/1/b/1"])
WRITES = st.one_of(
    st.builds(Delete, SMALL_PATHS, PRECONDITIONS),
    st.builds(
        Update,
        SMALL_PATHS,
        st.dictionaries(st.sampled_from("xy"), NUMBERS),
        mask=st.none() | st.just((("x",),)),
        precondition=PRECONDITIONS,
    ),
    st.builds(Transforms, SMALL_PATHS, st.just((Numeric(("x",), "increment", 1),)), PRECONDITIONS),
)


@given(st.lists(st.lists(WRITES, max_size=4), max_size=5))
def test_a_commit_does_all_or_nothing_and_tells_exactly_what_it_did(commits) -> None:
    tested, told = database(), {}

    def follow(_at, changes) -> None:
        for change in changes:
            assert told.get(change.path) == change.before
            assert change.before != change.after
            told[change.path] = change.after

    tested.watch(follow)
    last = 0
    for writes in commits:
        before = state(tested)
        try:
            committed = tested.commit(writes)
        except Refusal:
            assert state(tested) == before
        else:
            assert committed.at > last
            last = committed.at
            assert len(committed.results) == len(writes)
        assert {path: one for path, one in told.items() if one is not None} == state(tested)


@given(st.lists(st.integers(-(2**40), 2**40), max_size=6), st.randoms(use_true_random=False))
def test_increments_commute(operands, random) -> None:
    totals = []
    for _ in range(2):
        tested = database()
        random.shuffle(operands)
        for operand in operands:
            tested.commit([Transforms("a/b", (Numeric(("n",), "increment", operand),))])
        totals.append([document.fields for document in tested.documents])
    assert totals[0] == totals[1]
    assert totals[0] == ([{"n": sum(operands)}] if operands else [])


@given(st.lists(WRITES, max_size=5), st.lists(WRITES, max_size=8))
def test_a_snapshot_is_not_affected_by_later_writes(earlier, later) -> None:
    tested = database()
    tested.apply_each(distinct(earlier))
    before = state(tested)
    names = sorted(before, key=path_key)
    snapshot = tested.documents.snapshot()
    for write in later:
        tested.apply_each([write])
    assert {path: snapshot.get(path) for path in before} == before
    assert [one.path for one in snapshot.in_group(None)] == names
    assert list(snapshot.collection("a")) == [path for path in names if path.count("/") == 1]


def distinct(writes: list[Any]) -> list[Any]:
    return list({write.path: write for write in writes}.values())
