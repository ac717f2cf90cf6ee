"""A prompt in the words of Vertex AI's prompt management, and back.

Decides what of a prompt is kept there; the rest is as in a copy that is given. Sends nothing.
Source: google-cloud-aiplatform 2.7.0, agentplatform/_genai/_prompt_management_utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from shared.domain.version import PromptVersion
from shared.errors import UsageError
from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import SourceProblems

SCHEMA = "gs://google-cloud-aiplatform/schema/dataset/metadata/text_prompt_1.0.0.yaml"
_KIND, _API_SCHEMA = "multimodal_freeform", "1.0.0"
_MODELS = "publishers/google/models/"
# Parameters that a generation config of the API has; others are Segue's or the request's.
_GENERATION = frozenset(
    {
        "frequency_penalty",
        "max_output_tokens",
        "media_resolution",
        "presence_penalty",
        "seed",
        "stop_sequences",
        "temperature",
        "thinking_config",
        "top_k",
        "top_p",
    }
)


class VertexPromptUnfitError(UsageError):
    """Nothing was written. Segue takes one message of text, with a system instruction or without.

    Change it in Vertex AI Studio, or copy what you need by hand.
    """


def metadata_of(prompt: PromptVersion) -> dict[str, Any]:
    """What is kept of a prompt: model, parameters, system instruction and template."""
    head = prompt.head
    generation = {key: one for key, one in head.parameters.items() if key in _GENERATION}
    message: dict[str, Any] = {
        "generation_config": generation,
        "contents": [{"role": "user", "parts": [{"text": prompt.body}]}],
        "model": head.model,
    }
    if head.system is not None:
        message["system_instruction"] = {"parts": [{"text": head.system}]}
    return {
        "has_prompt_variable": False,
        "prompt_api_schema": {
            "api_schema_version": _API_SCHEMA,
            "multimodal_prompt": {"prompt_message": message},
        },
        "prompt_type": _KIND,
    }


def prompt_of(
    name: str, metadata: Mapping[str, Any], own: PromptVersion | None, partials: Mapping[str, str]
) -> PromptVersion:
    """The prompt that is kept, with what is not kept there from `own`.

    Raises VertexPromptUnfitError.
    """
    known = _snake(metadata)
    schema = known.get("prompt_api_schema") or {}
    message = (schema.get("multimodal_prompt") or {}).get("prompt_message") or {}
    contents = message.get("contents") or []
    if len(contents) != 1 or not message.get("model"):
        raise VertexPromptUnfitError(f"{name} has {len(contents)} messages, or no model")
    names = set(_variables(schema))
    system = _text(name, message.get("system_instruction"), names)
    head = _head(name, message, own) | ({"system": system} if system else {})
    written = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)
    text = f"---\n{written}---\n{_text(name, contents[0], names)}"
    try:
        return read_prompt(name, text, f"vertex:{name}", partials)
    except SourceProblems as problems:
        raise VertexPromptUnfitError(str(problems)) from problems


def _head(name: str, message: Mapping[str, Any], own: PromptVersion | None) -> dict[str, Any]:
    bundled = own.head.model_dump(mode="json", exclude_defaults=True) if own is not None else {}
    bundled.pop("system", None)
    model = str(message["model"]).rpartition(_MODELS)[2]
    others = [one for one in bundled.pop("models", ()) if one != model]
    kept = {k: v for k, v in bundled.pop("parameters", {}).items() if k not in _GENERATION}
    generation = message.get("generation_config") or {}
    parameters = {key: _whole(generation[key]) for key in generation if key in _GENERATION}
    return {
        "description": bundled.pop("description", f"{name} of Vertex AI."),
        "model": model,
        **({"models": [model, *others]} if others else {}),
        **({"parameters": {**parameters, **kept}} if parameters or kept else {}),
        **{key: one for key, one in bundled.items() if key != "model"},
    }


def _text(name: str, content: Any, variables: set[str]) -> str:
    """The text of one content. Its variables, `{name}`, are ours: `{{ name }}`."""
    parts = (content or {}).get("parts") or []
    if any(not isinstance(part.get("text"), str) for part in parts):
        raise VertexPromptUnfitError(f"{name} has parts that are no text")
    text = "\n".join(part["text"] for part in parts)
    if not variables:
        return text
    known = "|".join(map(re.escape, sorted(variables)))
    return re.sub(rf"(?<!\{{)\{{({known})\}}(?!\}})", r"{{ \1 }}", text)


def _variables(schema: Mapping[str, Any]) -> Iterator[str]:
    """The names of those that the prompt was tried with."""
    for execution in schema.get("executions") or ():
        yield from (execution.get("arguments") or {}).keys()


def _whole(value: Any) -> Any:
    """Numbers come back as what JSON makes of them: 50.0 tokens are 50."""
    return int(value) if isinstance(value, float) and value.is_integer() and value > 1 else value


def _snake(value: Any) -> Any:
    """The same with keys in snake_case, which of the two the API speaks is not documented.

    Names of variables are keys too, and stay.
    """
    if isinstance(value, list):
        return [_snake(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        _snaked(key): dict(one) if key == "arguments" else _snake(one) for key, one in value.items()
    }


def _snaked(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
