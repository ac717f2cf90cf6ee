"""Whether a step's prompt is there, and is given what its `input` schema asks for by name.

What the values will be, only the run can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shared.domain.prompts.refs import PromptRef
from shared.domain.version import PromptVersion
from shared.prompting.checks.graph import did_you_mean


def no_such_prompt(called: str, prompts: Collection[str]) -> str:
    """What to say where nothing is bundled under the name that a step calls."""
    try:
        name = PromptRef.read(called).name
    except ValueError as error:
        return str(error)
    return (
        f"there is no prompt {name!r}; create templates/{name}.md.j2{did_you_mean(name, prompts)}"
    )


def input_complaints(prompt: PromptVersion, given: Collection[str]) -> Iterator[str]:
    """Names that a step's `with` lacks, and those that the schema does not let in."""
    schema = prompt.head.input or {}
    required, known = schema.get("required"), schema.get("properties")
    for name in required if isinstance(required, list) else ():
        if name not in given:
            yield f"prompt {prompt.name!r} needs {name!r}; give it in `with`"
    if schema.get("additionalProperties") is False and isinstance(known, dict):
        for name in given:
            if name not in known:
                yield f"prompt {prompt.name!r} takes no {name!r}; it takes {', '.join(known)}"
