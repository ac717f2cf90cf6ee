"""JSON of requests in either key style, and the text in it. Decides nothing."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

JsonObject = dict[str, Any]


def field(holder: JsonObject, name: str, default: Any = None) -> Any:
    """Look `name` (camelCase) up in either key style."""
    if name in holder:
        return holder[name]
    return holder.get(_snake(name), default)


def objects(value: Any) -> list[JsonObject]:
    """Return the JSON objects in a list, or the one object that stands for a list of one."""
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, dict)]


def parts(content: JsonObject, kind: str) -> list[JsonObject]:
    """Return the parts of one content that have a field of this name (camelCase)."""
    listed = objects(content.get("parts", []))
    return [part for part in listed if isinstance(field(part, kind), dict)]


def text_of(content: JsonObject) -> str:
    """Join the text of one content, with what tools returned as JSON."""
    return "\n".join(filter(None, map(_part_text, objects(content.get("parts", [])))))


def _part_text(part: JsonObject) -> str:
    result = field(part, "functionResponse")
    if isinstance(result, dict):
        return json.dumps(result.get("response"), ensure_ascii=False)
    return str(part.get("text") or "")


@lru_cache(maxsize=256)
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
