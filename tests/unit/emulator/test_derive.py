"""What is derived from a schema is valid, deterministic and plausible, for any schema in use."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from emulator.standin.derive import UnderivableSchemaError, derive
from emulator.standin.schema_form import json_schema

Schema = dict[str, Any]
NAMES = st.sampled_from(["id", "subject", "text", "summary", "kind", "total_count", "person_name"])
FORMATS = ["date-time", "date", "time", "email", "uuid", "uri", "ipv4", "ipv6", "hostname"]


def strings() -> st.SearchStrategy[Schema]:
    lengths = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted)
    bounded = lengths.map(lambda pair: {"minLength": pair[0], "maxLength": pair[1]})
    formats = st.sampled_from(FORMATS).map(lambda name: {"format": name})
    extras = st.one_of(st.just({}), bounded, formats)
    return extras.map(lambda extra: {"type": "string", **extra})


def integers() -> st.SearchStrategy[Schema]:
    bounds = st.tuples(st.integers(-50, 50), st.integers(7, 60))
    return st.one_of(
        st.just({"type": "integer"}),
        bounds.map(lambda b: {"type": "integer", "minimum": b[0], "maximum": b[0] + b[1]}),
        bounds.map(
            lambda b: {
                "type": "integer",
                "exclusiveMinimum": b[0],
                "maximum": b[0] + b[1],
                "multipleOf": 7,
            }
        ),
    )


def numbers() -> st.SearchStrategy[Schema]:
    low = st.floats(-100, 100, allow_nan=False)
    width = st.floats(0.01, 50)
    return st.one_of(
        st.just({"type": "number"}),
        st.builds(lambda a, w: {"type": "number", "minimum": a, "maximum": a + w}, low, width),
        st.builds(
            lambda a, w: {"type": "number", "exclusiveMinimum": a, "exclusiveMaximum": a + w},
            low,
            width,
        ),
    )


def choices() -> st.SearchStrategy[Schema]:
    values = st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True)
    consts = st.sampled_from([None, True, 3, "fixed", [1], {"a": 1}])
    return st.one_of(
        values.map(lambda listed: {"type": "string", "enum": listed}),
        consts.map(lambda value: {"const": value}),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.just({"type": ["string", "null"]}),
    )


def arrays(items: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    sizes = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted)
    return st.builds(
        lambda item, size: {
            "type": "array",
            "items": item,
            "minItems": size[0],
            "maxItems": size[1],
        },
        items,
        sizes,
    )


def objects(values: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.builds(
        lambda properties, closed, all_required: {
            "type": "object",
            "properties": properties,
            "required": list(properties) if all_required else list(properties)[:1],
            **({"additionalProperties": False} if closed else {}),
        },
        st.dictionaries(NAMES, values, max_size=4),
        st.booleans(),
        st.booleans(),
    )


def unions(options: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    any_of = st.lists(options, min_size=1, max_size=3).map(lambda listed: {"anyOf": listed})
    apart = st.just({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "array"}]})
    all_of = objects(options).map(lambda schema: {"allOf": [schema, {"title": "Named"}]})
    return st.one_of(any_of, apart, all_of)


SCHEMAS = st.recursive(
    st.one_of(strings(), integers(), numbers(), choices()),
    lambda inner: st.one_of(arrays(inner), objects(inner), unions(inner)),
    max_leaves=10,
)


def check(schema: Schema, value: Any) -> None:
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


@given(schema=SCHEMAS, seed=st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_an_instance_is_valid(schema: Schema, seed: str) -> None:
    check(schema, derive(schema, seed))


@given(schema=SCHEMAS, seed=st.text(max_size=80))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_gives_the_same_instance(schema: Schema, seed: str) -> None:
    assert derive(schema, seed) == derive(schema, seed)


def upper(schema: Any) -> Any:
    """Write a schema the way Gemini does."""
    if not isinstance(schema, dict):
        return schema
    written = {}
    for key, value in schema.items():
        match key, value:
            case "type", str():
                written[key] = value.upper()
            case "properties", dict():
                written[key] = {name: upper(each) for name, each in value.items()}
            case "anyOf" | "allOf" | "oneOf", list():
                written["any_of" if key == "anyOf" else key] = [upper(each) for each in value]
            case "minItems" | "maxItems" | "minLength" | "maxLength", int():
                written[key] = str(value)
            case _:
                written[key] = upper(value)
    return written


@given(schema=SCHEMAS)
@settings(max_examples=60, deadline=None)
def test_geminis_way_of_writing_a_schema_means_the_same(schema: Schema) -> None:
    assert json_schema(upper(schema)) == schema
    check(schema, derive(upper(schema), "seed"))


class Line(BaseModel):
    """A nested part."""

    sku: str
    amount: int


class Order(BaseModel):
    """A typical answer, with everything pydantic writes into a schema."""

    status: Literal["open", "closed"]
    lines: list[Line]
    note: str | None = None
    first: Line | None = None
    scores: dict[str, float]


def test_a_pydantic_model_reads_what_was_derived_from_it() -> None:
    order = Order.model_validate(derive(Order.model_json_schema(), "two bicycles"))
    assert order.lines
    assert order.scores


def test_a_schema_as_the_client_writes_it_is_understood() -> None:
    tags = {"type": "ARRAY", "items": {"type": "STRING"}, "min_items": "3"}
    written = {
        "type": "OBJECT",
        "properties": {
            "tags": tags,
            "gone": {"type": "STRING", "nullable": True, "enum": ["a", "b"]},
        },
        "required": ["tags"],
        "property_ordering": ["tags", "gone"],
    }
    value = derive(written, "seed")
    assert len(value["tags"]) == 3
    assert value["gone"] in {"a", "b"}


def test_a_recursive_schema_ends() -> None:
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        },
        "required": ["value", "next"],
    }
    schema = {"$defs": {"Node": node}, "$ref": "#/$defs/Node"}
    check(schema, derive(schema, "seed"))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "#/$defs/Gone"}, "is not in the schema"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "refers to itself"),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {
                    "A": {
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/A"}},
                        "required": ["a"],
                    }
                },
            },
            "never ends",
        ),
        (
            {"type": "array", "items": {"enum": ["a"]}, "minItems": 2, "uniqueItems": True},
            "too few different items",
        ),
        ({"type": "integer", "minimum": 1, "maximum": 0}, "no whole number fits"),
    ],
)
def test_a_schema_without_an_instance_is_refused(schema: Schema, problem: str) -> None:
    with pytest.raises(UnderivableSchemaError, match=problem):
        derive(schema, "seed")


@pytest.mark.parametrize("item", [{"type": "string", "maxLength": 6}, {"type": "integer"}])
def test_unique_items_differ(item: Schema) -> None:
    schema = {"type": "array", "items": item, "minItems": 5, "uniqueItems": True}
    check(schema, derive(schema, "seed"))


def test_what_is_asked_about_steers_the_answer() -> None:
    schema = {
        "type": "object",
        "properties": {
            "category": {"enum": ["billing", "technical"]},
            "summary": {"type": "string"},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
    }
    value = derive(schema, "A billing question about order 17")
    assert value["category"] == "billing"
    assert "order 17" in value["summary"]
    assert 0.5 < value["confidence"] < 1
