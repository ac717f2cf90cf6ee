"""Turns Gemini's response schemas (OpenAPI style, both key styles) into plain JSON Schema.

Pure. A schema that is JSON Schema already comes back equal, but for `nullable` and number strings.
"""

from __future__ import annotations

import re
from typing import Any

JsonObject = dict[str, Any]

_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS = frozenset({"items", "additionalProperties", "not"})
_WHOLE_NUMBERS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
# Google's own words, which say nothing about what is valid.
_DROPPED = frozenset({"propertyOrdering", "nullable", "example"})


def json_schema(schema: Any) -> Any:
    """Return the schema in JSON Schema's words; an unspecified type puts no limit."""
    if not isinstance(schema, dict):
        return schema
    plain: JsonObject = {}
    for written, value in schema.items():
        key = _keyword(written)
        if key not in _DROPPED:
            plain[key] = _converted(key, value)
    if plain.get("type") == "type_unspecified":
        del plain["type"]
    return _with_null(plain) if schema.get("nullable") is True else plain


def _converted(key: str, value: Any) -> Any:
    if key == "type":
        return [_lower(each) for each in value] if isinstance(value, list) else _lower(value)
    if key in _NAMED_SCHEMAS and isinstance(value, dict):
        return {name: json_schema(each) for name, each in value.items()}
    if key in _SCHEMA_LISTS and isinstance(value, list):
        return [json_schema(each) for each in value]
    if key in _SCHEMAS:
        return json_schema(value)
    # Protobuf's JSON writes 64-bit numbers as strings.
    return int(value) if key in _WHOLE_NUMBERS else value


def _with_null(plain: JsonObject) -> JsonObject:
    if isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    if "enum" in plain and None not in plain["enum"]:
        plain["enum"] = [*plain["enum"], None]
    if "anyOf" in plain:
        plain["anyOf"] = [*plain["anyOf"], {"type": "null"}]
    return plain


def _lower(name: Any) -> Any:
    return name.lower() if isinstance(name, str) else name


def _keyword(written: str) -> str:
    if written == "ref":
        return "$ref"
    if written == "defs":
        return "$defs"
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), written)
