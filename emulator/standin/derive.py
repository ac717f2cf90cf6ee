"""Derives an instance of a JSON Schema: valid, plausible, and always the same for the same seed.

Not handled: `pattern`, `not`, `if`, `dependent*`; the choices of a `oneOf` are taken to exclude one
another. Must not know of requests.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from emulator.standin.phrases import phrase
from emulator.standin.schema_form import json_schema

if TYPE_CHECKING:
    from collections.abc import Callable

JsonObject = dict[str, Any]

_SPARE_BELOW = 4  # nested deeper than this, only what is required is filled in
_DEEPEST = 40
_USUAL_ITEMS = 2
_UNIQUE_TRIES = 64
_SPAN = 100


class UnderivableSchemaError(Exception):
    """No finite instance could be found."""


def derive(schema: JsonObject, seed: str) -> Any:
    """Derive an instance of a schema in either style; raises UnderivableSchemaError."""
    root = json_schema(schema)
    return _Derivation(root, seed).value(root, ())


def chosen(seed: str, path: tuple[object, ...], among: int) -> int:
    """Choose a number below `among`, evenly spread and fixed by seed and path."""
    digest = hashlib.blake2b(repr((seed, path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % among


class _Derivation:
    def __init__(self, root: Any, seed: str) -> None:
        self._root = root
        self._seed = seed
        self._kinds: dict[str, Callable[[JsonObject, tuple[object, ...]], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _schema, path: bool(self._choose(path, 2)),
            "null": lambda _schema, _path: None,
        }

    def value(self, schema: Any, path: tuple[object, ...]) -> Any:
        if len(path) > _DEEPEST:
            at = "/".join(map(str, path[:6]))
            raise UnderivableSchemaError(f"the schema never ends at {at}/...: make it optional")
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._enum(schema["enum"], path)
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                return self._choice(schema, choice, path)
        return self._kinds[_kind(schema)](schema, path)

    def _choose(self, path: tuple[object, ...], among: int) -> int:
        return chosen(self._seed, path, among)

    def _resolved(self, schema: Any) -> JsonObject:
        """Follow references and merge what must hold together."""
        if not isinstance(schema, dict):
            return {}
        seen: set[str] = set()
        while "$ref" in schema:
            reference = schema["$ref"]
            if reference in seen:
                raise UnderivableSchemaError(f"{reference} refers to itself: break the circle")
            seen.add(reference)
            beside = {key: each for key, each in schema.items() if key != "$ref"}
            target: JsonObject = self._target(reference)
            schema = {**target, **beside}
        merged: JsonObject = schema
        for part in schema.get("allOf", ()):
            merged = _merged(merged, self._resolved(part))
        return merged

    def _target(self, reference: str) -> JsonObject:
        at = self._root
        for step in reference.lstrip("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            at = at.get(name) if name and isinstance(at, dict) else at
        if not isinstance(at, dict):
            raise UnderivableSchemaError(f"{reference} is not in the schema: add it to $defs")
        return at

    def _enum(self, values: list[Any], path: tuple[object, ...]) -> Any:
        some = [each for each in values if each is not None] or values
        lowered = self._seed.lower()
        mentioned = [each for each in some if isinstance(each, str) and each.lower() in lowered]
        # One that is mentioned is the likely answer; several are only the list of choices.
        if len(mentioned) == 1 and not isinstance(path[-1:] and path[-1], int):
            return mentioned[0]
        return some[self._choose(path, len(some))]

    def _choice(self, schema: JsonObject, key: str, path: tuple[object, ...]) -> Any:
        beside = {name: each for name, each in schema.items() if name != key}
        options = [self._resolved(option) for option in schema[key]]
        some = [each for each in options if each.get("type") != "null"] or options
        if len(path) > _SPARE_BELOW:
            some = sorted(options, key=_size)
        index = 0 if len(path) > _SPARE_BELOW else self._choose(path, len(some))
        return self.value(_merged(beside, some[index]), path)

    def _object(self, schema: JsonObject, path: tuple[object, ...]) -> JsonObject:
        required = schema.get("required", [])
        listed = schema.get("properties", {})
        names = [name for name in listed if len(path) <= _SPARE_BELOW or name in required]
        names += [name for name in required if name not in listed]
        others = schema.get("additionalProperties")
        lacking = schema.get("minProperties", 1 if isinstance(others, dict) else 0) - len(names)
        names += [f"item_{number}" for number in range(1, lacking + 1)]
        return {name: self.value(listed.get(name, others), (*path, name)) for name in names}

    def _array(self, schema: JsonObject, path: tuple[object, ...]) -> list[Any]:
        first = schema.get("prefixItems", [])
        usual = _USUAL_ITEMS if len(path) <= _SPARE_BELOW else 0
        length = max(usual, len(first), schema.get("minItems", 0))
        length = min(length, schema.get("maxItems", length))
        if schema.get("items") is False:
            length = min(length, len(first))
        items: list[Any] = []
        for index in range(length):
            each = first[index] if index < len(first) else schema.get("items")
            items.append(self._item(each, (*path, index), items if _unique(schema) else []))
        return items

    def _item(self, schema: Any, path: tuple[object, ...], taken: list[Any]) -> Any:
        for attempt in range(_UNIQUE_TRIES):
            index = path[-1] if attempt == 0 else f"{path[-1]}.{attempt}"
            item = self.value(schema, (*path[:-1], index))
            if not any(_same(item, each) for each in taken):
                return item
        at = "/".join(map(str, path))
        raise UnderivableSchemaError(f"too few different items at {at}: ask for fewer")

    def _string(self, schema: JsonObject, path: tuple[object, ...]) -> str:
        return phrase(schema, path, self._seed, self._choose(path, 1 << 62))

    def _integer(self, schema: JsonObject, path: tuple[object, ...]) -> int:
        step = schema.get("multipleOf", 1)
        low, high = _bounds(schema, 1)
        first, last = math.ceil(low / step), math.floor(high / step)
        if last < first:
            raise UnderivableSchemaError(f"no whole number fits at {'/'.join(map(str, path))}")
        return int((first + self._choose(path, last - first + 1)) * step)

    def _number(self, schema: JsonObject, path: tuple[object, ...]) -> float:
        if "multipleOf" in schema:
            step = schema["multipleOf"]
            low, high = _bounds(schema, step / 2)
            first, last = math.ceil(low / step), math.floor(high / step)
            return float((first + self._choose(path, max(1, last - first + 1))) * step)
        low, high = _bounds(schema, 0)
        # The upper half: what models report as scores and confidences.
        part = 0.6 + self._choose(path, 36) / 100
        exact = low + (high - low) * part
        rounded = round(exact, 2)
        return rounded if low < rounded < high else exact


def _bounds(schema: JsonObject, gap: float) -> tuple[float, float]:
    """Return the closed bounds; what is excluded is moved inwards by `gap`."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if (above := schema.get("exclusiveMinimum")) is not None and not isinstance(above, bool):
        low = above + gap if low is None else max(low, above + gap)
    if (below := schema.get("exclusiveMaximum")) is not None and not isinstance(below, bool):
        high = below - gap if high is None else min(high, below - gap)
    if low is None:
        low = 0 if high is None or high > 0 else high - _SPAN
    return low, low + _SPAN if high is None else high


def _kind(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((each for each in kind if each != "null"), "null")
    if kind is not None:
        return str(kind)
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _merged(left: JsonObject, right: JsonObject) -> JsonObject:
    merged = {**left, **right}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        merged["required"] = list(dict.fromkeys([*left["required"], *right["required"]]))
    return merged


def _size(schema: JsonObject) -> int:
    kind = _kind(schema) if "$ref" not in schema else "object"
    return {"null": 0, "object": 3, "array": 2}.get(kind, 1)


def _unique(schema: JsonObject) -> bool:
    return schema.get("uniqueItems") is True


def _same(left: Any, right: Any) -> bool:
    # In JSON Schema true and 1 differ, 1 and 1.0 do not.
    return left == right and isinstance(left, bool) == isinstance(right, bool)
