"""Which filters production refuses, and in what words.

Source: https://firebase.google.com/docs/firestore/query-data/queries#query_limitations and
`StructuredQuery.FieldFilter.Operator` in the RPC reference; wording and precedence as Google's
emulator has them, for references to collections as production. Must not know documents.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.embedded.firestore.model import (
    NAME,
    Composite,
    FieldFilter,
    Filter,
    Operator,
)
from emulator.embedded.firestore.paths import format_field_path
from emulator.embedded.firestore.query.filters import INEQUALITIES, NEGATIONS, OF_ARRAYS, UNARY
from emulator.embedded.firestore.query.normal_form import count_disjunctions, leaves
from emulator.embedded.firestore.values import Reference, Value
from emulator.embedded.refusal import invalid

MAX_DISJUNCTIONS = 30
MAX_INEQUALITY_FIELDS = 10
_MAX_VALUES = {Operator.IN: 30, Operator.ARRAY_CONTAINS_ANY: 30, Operator.NOT_IN: 10}
_BY_EQUALITY = frozenset({Operator.EQUAL, Operator.IN})


def check_filter(where: Filter | None, database: str) -> None:
    """Raises Refusal for operators, operands and combinations that are not allowed."""
    _check_composites(where)
    found = list(leaves(where))
    _check_combinations(found, where)
    for one in found:
        _check_values(one)
        if one.field == NAME:
            _check_name(one, database)


def check_size(where: Filter | None) -> None:
    """Raises Refusal where the filter has too many inequality fields or disjunctions."""
    fields = {one.field for one in leaves(where) if one.operator in INEQUALITIES}
    if len(fields) > MAX_INEQUALITY_FIELDS:
        listed = ", ".join(sorted(map(format_field_path, fields)))
        raise invalid(
            f"The query contains {len(fields)} distinct inequality fields: [{listed}]. A query may "
            f"not have more than {MAX_INEQUALITY_FIELDS} distinct inequality fields."
        )
    if _most_of_arrays(where) > 1:
        raise invalid("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.")
    count = count_disjunctions(where)
    if count > MAX_DISJUNCTIONS:
        raise invalid(
            f"Too many disjunctions after normalization. Result had {count} disjunctions which is "
            f"more than the maximum of {MAX_DISJUNCTIONS}"
        )


def check_name_equality(where: Filter | None) -> None:
    """Raises Refusal where documents are named, and an inequality is on another field alone."""
    inequalities = {one.field for one in leaves(where) if one.operator in INEQUALITIES}
    if not inequalities or NAME in inequalities:
        return
    if any(one.field == NAME and one.operator in _BY_EQUALITY for one in leaves(where)):
        raise invalid(
            "Equality on key is not allowed if there are other inequality fields and key does not "
            "appear in inequalities."
        )


def check_names_document(reference: Reference) -> None:
    """Raises Refusal where it names a collection."""
    segments, name = reference.path.split("/"), reference.name
    if len(segments) % 2 or not all(segments):
        raise invalid(f'Document parent name "{name}" lacks "/" at index {len(name)}.')


def _check_composites(where: Filter | None) -> None:
    if not isinstance(where, Composite):
        return
    if where.operator == "or" and not where.filters:
        raise invalid("Composite filter must have at least one sub-filter.")
    for part in where.filters:
        _check_composites(part)


def _check_combinations(found: Sequence[FieldFilter], where: Filter | None) -> None:
    operators = [one.operator for one in found]
    if sum(one in NEGATIONS for one in operators) > 1:
        raise invalid(
            "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed "
            "per query."
        )
    several = Operator.IN in operators or Operator.ARRAY_CONTAINS_ANY in operators
    if Operator.NOT_IN in operators and (several or _has_or(where)):
        raise invalid(
            "'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'."
        )


def _has_or(where: Filter | None) -> bool:
    if not isinstance(where, Composite):
        return False
    return where.operator == "or" or any(map(_has_or, where.filters))


def _check_values(one: FieldFilter) -> None:
    most = _MAX_VALUES.get(one.operator)
    if most is None:
        return
    operator = one.operator.name
    if not isinstance(one.value, list | tuple):
        raise invalid(f"'{operator}' requires an ArrayValue.")
    if not one.value:
        raise invalid(f"'{operator}' requires an non-empty ArrayValue.")
    if len(one.value) > most:
        raise invalid(f"'{operator}' supports up to {most} comparison values.")


def _check_name(one: FieldFilter, database: str) -> None:
    if one.operator in OF_ARRAYS:
        raise invalid("the name __key__ is reserved")
    if one.operator in UNARY:
        raise invalid("__key__ filter value must be a Key")
    for operand in one.value if one.operator in _MAX_VALUES else (one.value,):
        _check_reference(operand, database)


def _check_reference(operand: Value, database: str) -> None:
    if not isinstance(operand, Reference):
        raise invalid("__key__ filter value must be a Key")
    if operand.database != database:
        raise invalid(
            f"The request was for database '{database}' but was attempting to access database "
            f"'{operand.database}'"
        )
    check_names_document(operand)


def _most_of_arrays(where: Filter | None) -> int:
    """How many filters on arrays one disjunction has at most."""
    if isinstance(where, Composite):
        counts = map(_most_of_arrays, where.filters)
        return max(counts) if where.operator == "or" else sum(counts)
    return 0 if where is None else int(where.operator in OF_ARRAYS)
