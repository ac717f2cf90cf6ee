"""The JSON Schemas of flows, rollouts and prompt heads, generated for editors and other tools.

`python -m shared.prompting.schemas` writes them to `prompts/schemas`; a test refuses drift.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from shared.domain.flow import Flow
from shared.domain.model import Declared
from shared.domain.retrieval.collection import Collection
from shared.domain.rollouts.declared import Rollout
from shared.domain.version import FrontMatter
from shared.prompting.cases import CaseFile

FOLDER = Path(__file__).resolve().parents[2] / "prompts" / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: dict[str, type[Declared]] = {
    "cases.schema.json": CaseFile,
    "flow.schema.json": Flow,
    "prompt.schema.json": FrontMatter,
    "rollout.schema.json": Rollout,
    "collection.schema.json": Collection,
}


class _ForEditors(GenerateJsonSchema):
    """Step kinds as `anyOf`: editors then complain about the kind at hand, not about the choice."""

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        found = super().tagged_union_schema(schema)
        kinds = found.pop("oneOf", None)
        return {**found, "anyOf": kinds} if kinds else found


def schema_texts() -> dict[str, str]:
    """File name -> text; the same models, the same text."""
    return {name: _text(model) for name, model in _MODELS.items()}


def _text(model: type[Declared]) -> str:
    schema: dict[str, Any] = model.model_json_schema(by_alias=True, schema_generator=_ForEditors)
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes all schemas."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (FOLDER / name).write_text(text, "utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
