"""What filters find, and which are refused."""

from __future__ import annotations

import pytest

from emulator.embedded.firestore.model import (
    NAME,
    Composite,
    Document,
    FieldFilter,
    Operator,
    Query,
)
from emulator.embedded.firestore.query.filters import predicate
from emulator.embedded.firestore.query.normal_form import count_disjunctions, disjunctions
from emulator.embedded.firestore.query.query_rules import check_query
from emulator.embedded.firestore.values import Reference, Timestamp, Vector
from emulator.embedded.refusal import Refusal

DATABASE = "projects/p/databases/d"
NAN = float("nan")
EVERYTHING = [
    None,
    False,
    True,
    NAN,
    -1,
    0,
    1.0,
    "",
    "s",
    b"x",
    Timestamp(5),
    [1],
    Vector((1.0,)),
    {},
]
NOT_NULL = EVERYTHING[1:]


def where(operator: Operator, value: object = None, field: tuple[str, ...] = ("x",)) -> FieldFilter:
    return FieldFilter(field, operator, value)


def both(*filters) -> Composite:
    return Composite("and", filters)


def either(*filters) -> Composite:
    return Composite("or", filters)


def reference(path: str) -> Reference:
    return Reference(f"{DATABASE}/documents/{path}")


def found(one, values=EVERYTHING) -> list[object]:
    test = predicate(one)
    return [value for value in values if test(Document("c/a", {"x": value}, 0, 0))]


def message_of(one, database: str = DATABASE, **query) -> str:
    with pytest.raises(Refusal) as caught:
        check_query(Query("", "c", where=one, **query), database)
    return caught.value.message


@pytest.mark.parametrize(
    ("operator", "operand", "expected"),
    [
        (Operator.LESS_THAN, 1, [-1, 0]),
        (Operator.LESS_THAN_OR_EQUAL, 1, [-1, 0, 1.0]),
        (Operator.GREATER_THAN, 0, [1.0]),
        (Operator.GREATER_THAN_OR_EQUAL, -1, [-1, 0, 1.0]),
        (Operator.LESS_THAN, "s", [""]),
        (Operator.GREATER_THAN_OR_EQUAL, True, [True]),
        (Operator.LESS_THAN_OR_EQUAL, None, []),
        (Operator.GREATER_THAN_OR_EQUAL, NAN, []),
        (Operator.LESS_THAN, {"a": 1}, [{}]),
        (Operator.LESS_THAN, Vector((2.0,)), [Vector((1.0,))]),
    ],
)
def test_a_range_finds_only_values_of_its_own_type(operator, operand, expected):
    assert found(where(operator, operand)) == expected


def test_equality_knows_no_difference_between_whole_and_broken_numbers():
    assert found(where(Operator.EQUAL, 1)) == [1.0]
    assert found(where(Operator.EQUAL, False)) == [False]


def test_null_and_nan_are_found_by_unary_operators_alone():
    assert found(where(Operator.EQUAL, None)) == found(where(Operator.EQUAL, NAN)) == []
    assert found(where(Operator.IN, [None, NAN, 0])) == [0]
    assert found(where(Operator.IS_NULL)) == [None]
    assert found(where(Operator.IS_NAN)) == [NAN]
    assert found(where(Operator.IS_NOT_NULL)) == NOT_NULL
    assert found(where(Operator.IS_NOT_NAN)) == [each for each in NOT_NULL if each is not NAN]


def test_negations_leave_out_null_and_documents_without_the_field():
    assert found(where(Operator.NOT_EQUAL, 1)) == [
        each for each in NOT_NULL if each != 1.0 or each is True
    ]
    assert found(where(Operator.NOT_IN, [1, "s"], ("y",))) == []
    assert found(where(Operator.NOT_EQUAL, NAN)) == NOT_NULL
    assert found(where(Operator.NOT_IN, [NAN])) == NOT_NULL
    assert found(where(Operator.NOT_EQUAL, None)) == found(where(Operator.NOT_IN, [None, 1])) == []


def test_lists_are_searched_for_equal_elements_but_not_for_null_and_nan():
    lists = [[1, "a"], [1.0], [None, NAN], [[1]], "a", None]
    assert found(where(Operator.ARRAY_CONTAINS, 1), lists) == [[1, "a"], [1.0]]
    assert found(where(Operator.ARRAY_CONTAINS, None), lists) == []
    assert found(where(Operator.ARRAY_CONTAINS_ANY, ["a", NAN]), lists) == [[1, "a"]]


def test_null_and_nan_inside_a_list_are_equal_to_themselves():
    assert found(where(Operator.EQUAL, [NAN, None]), [[NAN, None]]) == [[NAN, None]]


def test_fields_of_maps_are_reached_and_those_of_vectors_and_lists_are_not():
    inner = where(Operator.EQUAL, 1, ("x", "y"))
    assert found(inner, [{"y": 1}, {"y": 2}, [1], Vector((1.0,))]) == [{"y": 1}]


def test_names_compare_segment_by_segment_with_references():
    named = [Document(path, {}, 0, 0) for path in ("c/__id7__", "c/a", "c/a/d/b", "c/ab")]
    above = predicate(where(Operator.GREATER_THAN, reference("c/a"), NAME))
    assert [each.path for each in named if above(each)] == ["c/a/d/b", "c/ab"]
    listed = predicate(where(Operator.IN, [reference("c/ab"), reference("c/__id7__")], NAME))
    assert [each.path for each in named if listed(each)] == ["c/__id7__", "c/ab"]


def test_composites_nest_and_an_empty_and_demands_nothing():
    ends = either(where(Operator.EQUAL, -1), both(where(Operator.GREATER_THAN, 0), both()))
    assert found(ends) == [-1, 1.0]


def test_the_normal_form_has_each_alternative_once():
    one = both(
        where(Operator.IN, [1, 2, 1.0]),
        either(where(Operator.EQUAL, 5, ("y",)), where(Operator.IN, [5], ("y",))),
        where(Operator.GREATER_THAN, 0, ("z",)),
    )
    assert [len(term) for term in disjunctions(one)] == [3, 3]
    assert disjunctions(None) == [()]


def test_a_normal_form_too_large_to_write_out_is_still_counted():
    many = [where(Operator.IN, list(range(30)), (name,)) for name in "abcdefghij"]
    assert count_disjunctions(both(*many)) == 30**10


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (where(Operator.IN, []), "'IN' requires an non-empty ArrayValue."),
        (where(Operator.ARRAY_CONTAINS_ANY, 3), "'ARRAY_CONTAINS_ANY' requires an ArrayValue."),
        (where(Operator.IN, [1] * 31), "'IN' supports up to 30 comparison values."),
        (where(Operator.NOT_IN, [1] * 11), "'NOT_IN' supports up to 10 comparison values."),
        (either(), "Composite filter must have at least one sub-filter."),
        (
            both(where(Operator.NOT_EQUAL, 1), where(Operator.IS_NOT_NULL, None, ("y",))),
            (
                "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter "
                "allowed per query."
            ),
        ),
        (
            both(where(Operator.NOT_IN, [1]), where(Operator.IN, [1], ("y",))),
            "'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.",
        ),
        (
            either(where(Operator.NOT_IN, [1]), where(Operator.EQUAL, 1, ("y",))),
            "'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.",
        ),
        (
            both(where(Operator.IN, [*range(6)]), where(Operator.IN, [*range(6)], ("y",))),
            (
                "Too many disjunctions after normalization. Result had 36 disjunctions which is "
                "more than the maximum of 30"
            ),
        ),
        (
            both(where(Operator.ARRAY_CONTAINS, 1), where(Operator.ARRAY_CONTAINS_ANY, [2])),
            "A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.",
        ),
        (
            both(*(where(Operator.GREATER_THAN, 0, (f"f{n}",)) for n in range(11))),
            (
                "The query contains 11 distinct inequality fields: [f0, f1, f10, f2, f3, f4, f5, "
                "f6, f7, f8, f9]. A query may not have more than 10 distinct inequality fields."
            ),
        ),
        (
            both(*(where(Operator.EQUAL, 0, (f"f{n}",)) for n in range(101))),
            (
                "The query may not have more than 100 filters + sort orders + ancestor total. "
                "Currently there are 101 filters, 0 sort orders, and no ancestor filter."
            ),
        ),
        (where(Operator.EQUAL, "c/a", NAME), "__key__ filter value must be a Key"),
        (where(Operator.IS_NULL, None, NAME), "__key__ filter value must be a Key"),
        (where(Operator.ARRAY_CONTAINS, reference("c/a"), NAME), "the name __key__ is reserved"),
        (
            where(Operator.EQUAL, reference("c"), NAME),
            f'Document parent name "{DATABASE}/documents/c" lacks "/" at index 34.',
        ),
        (
            both(where(Operator.EQUAL, reference("c/a"), NAME), where(Operator.LESS_THAN, 1)),
            (
                "Equality on key is not allowed if there are other inequality fields and key does "
                "not appear in inequalities."
            ),
        ),
    ],
)
def test_a_filter_that_is_not_allowed_is_refused_in_productions_words(one, message):
    assert message_of(one) == message


def test_a_reference_into_another_database_is_refused():
    assert message_of(where(Operator.EQUAL, reference("c/a"), NAME), "projects/q/databases/d") == (
        "The request was for database 'projects/q/databases/d' but was attempting to access "
        f"database '{DATABASE}'"
    )


@pytest.mark.parametrize(
    "one",
    [
        either(where(Operator.ARRAY_CONTAINS, 1), where(Operator.ARRAY_CONTAINS, 2)),
        both(where(Operator.IN, [*range(6)]), where(Operator.IN, [*range(5)], ("y",))),
        either(*(where(Operator.EQUAL, 1) for _ in range(40))),
        both(*(where(Operator.GREATER_THAN, 0, (f"f{n}",)) for n in range(10))),
        either(where(Operator.NOT_EQUAL, 1), where(Operator.IN, [1, 2], ("y",))),
    ],
)
def test_what_only_comes_near_a_limit_is_allowed(one):
    check_query(Query("", "c", where=one), DATABASE)


def test_a_query_of_all_collections_knows_nothing_but_names():
    with pytest.raises(Refusal, match="kind is required for filter: x"):
        check_query(Query("", None, descendants=True, where=where(Operator.EQUAL, 1)), DATABASE)


def test_a_group_below_a_document_knows_nothing_but_names():
    with pytest.raises(Refusal, match="only allowed at the root parent"):
        check_query(Query("r/1", "c", descendants=True, where=where(Operator.EQUAL, 1)), DATABASE)
    check_query(Query("r/1", "c", descendants=True), DATABASE)
