"""Whether prompts give what the events of a typed flow say: by the schemas of their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.version import PromptVersion
from shared.prompting.source import Problem
from shared.typed.events import name_of
from shared.typed.shapes import FlowShape, StepShape


def answer_problems(shape: FlowShape, prompts: Mapping[str, PromptVersion]) -> Iterator[Problem]:
    """Events with fields that the model's answer will not have. Prompts that are not there, and
    schemas that leave open what they allow, are nobody's business here.
    """
    for step in shape.steps.values():
        prompt = prompts.get(step.options.prompt or "")
        if prompt is None or step.options.outputs is not None:
            continue
        answered = _answered(prompt, step)
        missing = [] if answered is None else sorted(_required(step) - answered)
        if missing:
            [kind] = step.gives.kinds
            told = f"{name_of(kind)} has {missing[0]!r}, and prompt {prompt.name!r} answers"
            fields = ", ".join(sorted(answered or ()))
            remedy = "change its `output`, or give the field a default"
            message = f"step {step.name!r}: {told} {fields}; {remedy}"
            yield Problem(shape.file, step.line, message)


def _answered(prompt: PromptVersion, step: StepShape) -> frozenset[str] | None:
    """The fields of an answer; None where anything is possible."""
    if prompt.head.output is None:
        return frozenset({"text"})
    schema: Any = prompt.head.output.get("items") if step.gives.many else prompt.head.output
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return frozenset(properties) if isinstance(properties, Mapping) else None


def _required(step: StepShape) -> frozenset[str]:
    fields = (item for kind in step.gives.kinds for item in kind.model_fields.items())
    return frozenset(name for name, field in fields if field.is_required())
