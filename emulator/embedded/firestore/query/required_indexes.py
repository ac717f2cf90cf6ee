"""Which index a query needs, and whether it is there: automatic, declared or merged from several.

Source: https://firebase.google.com/docs/firestore/query-data/index-overview and
https://firebase.google.com/docs/firestore/vector-search. Must not know YAML or documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emulator.embedded.firestore.model import NAME, FieldPath, Operator, Order, Query
from emulator.embedded.firestore.query.filters import EQUALITIES
from emulator.embedded.firestore.query.index_declaration import (
    Declaration,
    Index,
    IndexField,
    Mode,
    read_declaration,
)
from emulator.embedded.firestore.query.missing_index import missing_index, missing_vector_index
from emulator.embedded.firestore.query.normal_form import Conjunction, disjunctions
from emulator.embedded.firestore.query.ordering import full_order, inequality_fields


class DeclaredIndexes:
    """What is declared for a database; `source` is what `infra/indexes.yaml` holds, parsed.

    Raises ValueError where it is malformed.
    """

    def __init__(self, source: object) -> None:
        self._declared: Declaration = read_declaration(source)

    def require(self, query: Query, database: str, *, aggregated: Sequence[FieldPath] = ()) -> None:
        """Raises Refusal FAILED_PRECONDITION, with production's words, where an index lacks.

        `aggregated` are the fields that are summed or averaged over the result.
        """
        if query.collection is None:
            return
        for term in disjunctions(query.where):
            if query.nearest is not None:
                self._require_vector(query, term, database)
            else:
                self._require_for(query, _Need(query, term, aggregated), database)

    def _require_for(self, query: Query, need: _Need, database: str) -> None:
        if not self._served(query, need):
            several = len(inequality_fields(query.where)) > 1
            raise missing_index(_index(query, need.fields()), database, several=several)

    def _served(self, query: Query, need: _Need) -> bool:
        if not need.points and not need.sorted:
            if not need.backwards:
                return True  # the order of names is always there
        elif self._automatic(query, need):
            return True
        covered = {
            point
            for index in self._declared.indexes
            if index.collection == query.collection and index.group is query.descendants
            for point in need.covered_by(index.fields)
        }
        if not need.sorted:
            covered.update(one for one in need.points if self._single(query, *_both_ways(one)))
        return covered >= need.points if need.points else self._exact(query, need)

    def _automatic(self, query: Query, need: _Need) -> bool:
        if need.points or len(need.sorted) != 1:
            return False
        (one,) = need.sorted
        mode = Mode.DESCENDING if one.descending else Mode.ASCENDING
        return one.descending is need.backwards and self._single(query, IndexField(one.field, mode))

    def _exact(self, query: Query, need: _Need) -> bool:
        wanted = _index(query, need.fields())
        return any(index.served_as() == wanted.served_as() for index in self._declared.indexes)

    def _single(self, query: Query, *fields: IndexField) -> bool:
        """Whether one of these single-field indexes is there.

        Collections have them all, unless they are switched off; groups those that are declared.
        """
        assert query.collection is not None
        if not (query.descendants or self._declared.is_unindexed(query.collection, fields[0].path)):
            return True
        return any(
            (index.collection, index.group) == (query.collection, query.descendants)
            and any(map(index.is_single, fields))
            for index in self._declared.indexes
        )

    def _require_vector(self, query: Query, term: Conjunction, database: str) -> None:
        nearest = query.nearest
        assert nearest is not None
        filters = dict.fromkeys(
            IndexField(one.field, _mode(one.operator)) for one in term if one.field != NAME
        )
        vector = IndexField(nearest.field, Mode.VECTOR, len(nearest.query))
        wanted = _index(query, [*filters, vector])
        if not any(_serves_vector(index, wanted) for index in self._declared.indexes):
            raise missing_vector_index(wanted, database)


class _Need:
    """What one conjunction needs: fields with one value, then fields in order, then the name."""

    def __init__(self, query: Query, term: Conjunction, aggregated: Iterable[FieldPath]) -> None:
        equal = {one.field for one in term if one.operator in EQUALITIES}
        order = [one for one in full_order(query) if one.field not in equal]
        self.backwards = full_order(query)[-1].descending
        self.sorted = [one for one in order if one.field != NAME]
        known = equal | {one.field for one in order}
        self.sorted += [Order(field) for field in dict.fromkeys(aggregated) if field not in known]
        self.points = {
            IndexField(one.field, _mode(one.operator))
            for one in term
            if one.field != NAME and (one.field in equal or one.operator is Operator.ARRAY_CONTAINS)
        }

    def fields(self) -> list[IndexField]:
        """Of the index that alone serves it: the one production proposes."""
        points = sorted(self.points, key=lambda one: (one.mode is Mode.CONTAINS, one.path))
        ordered = [*self.sorted, Order(NAME, self.backwards)]
        return [*points, *(_ordered(one) for one in ordered)]

    def covered_by(self, fields: Sequence[IndexField]) -> set[IndexField]:
        """The points an index helps to find in the order needed; none where it cannot help."""
        name = Order(NAME, self.backwards)
        suffix = [_ordered(one) for one in (*self.sorted, name)]
        named = [*fields] if fields[-1].path == NAME else [*fields, _implied_name(fields)]
        length = len(named) - len(suffix)
        if length <= 0 or named[length:] != suffix:
            return set()
        covered = {_point(one) for one in named[:length]}
        return covered if covered <= self.points else set()


def _serves_vector(index: Index, wanted: Index) -> bool:
    same = (index.collection, index.group) == (wanted.collection, wanted.group)
    *filters, vector = index.fields
    *wanted_filters, wanted_vector = wanted.fields
    return (
        same
        and vector == wanted_vector
        and {_point(one) for one in filters if one.path != NAME} == set(wanted_filters)
    )


def _index(query: Query, fields: Iterable[IndexField]) -> Index:
    assert query.collection is not None
    return Index(query.collection, query.descendants, tuple(fields))


def _mode(operator: Operator) -> Mode:
    return Mode.CONTAINS if operator is Operator.ARRAY_CONTAINS else Mode.ASCENDING


def _point(field: IndexField) -> IndexField:
    """For one value, either direction is as good."""
    return IndexField(field.path) if field.mode is Mode.DESCENDING else field


def _both_ways(point: IndexField) -> tuple[IndexField, ...]:
    if point.mode is Mode.CONTAINS:
        return (point,)
    return point, IndexField(point.path, Mode.DESCENDING)


def _ordered(one: Order) -> IndexField:
    return IndexField(one.field, Mode.DESCENDING if one.descending else Mode.ASCENDING)


def _implied_name(fields: Sequence[IndexField]) -> IndexField:
    descending = fields[-1].mode is Mode.DESCENDING
    return _ordered(Order(NAME, descending))
