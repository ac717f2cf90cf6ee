"""Whether what judges a flow's runs makes sense: it is checked as the flow that it becomes.

How that flow is put together is decided in `shared.domain.rollouts.judges`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.expressions import GLOBALS
from shared.domain.flow import Flow
from shared.domain.rollouts.declared import OF_ENDS
from shared.domain.rollouts.judges import SCORE, Judge, judging_name
from shared.domain.version import PromptVersion
from shared.prompting.checks.prompts import input_complaints, no_such_prompt
from shared.prompting.source import Location, Problem, Source

NAME_LENGTH = 63  # of a flow


@dataclass(frozen=True)
class JudgeCheck:
    """Checks what a flow says of its judges, but for the templates in their `with`."""

    source: Source
    flow: Flow
    prompts: Mapping[str, PromptVersion]

    def problems(self) -> Iterator[Problem]:
        """All that is wrong."""
        for outcome, judge in self.flow.judge.items():
            at: Location = ("judge", outcome)
            name = judging_name(self.flow.flow, outcome)
            if outcome in OF_ENDS:
                told = f"{outcome!r} is measured anyway; give the outcome another name"
                yield self.source.problem(at, told)
            if len(name) > NAME_LENGTH:
                told = f"the flow that judges is called {name!r}: over {NAME_LENGTH} characters"
                yield self.source.problem(at, f"{told}; shorten one of the two names")
            for complaint in self._of_prompt(judge):
                yield self.source.problem((*at, "prompt"), complaint)

    def _of_prompt(self, judge: Judge) -> Iterator[str]:
        prompt = self.prompts.get(judge.prompt)
        if prompt is None:
            yield no_such_prompt(judge.prompt, self.prompts)
            return
        yield from input_complaints(prompt, judge.arguments.keys())
        for missing in sorted(prompt.references - judge.arguments.keys() - GLOBALS):
            told = f"prompt {judge.prompt!r} reads {missing!r}; a judge sees what `with` gives it"
            yield f"{told}, and nothing else: pass it there"
        complaint = score_complaint(prompt)
        if complaint is not None:
            yield complaint


def score_complaint(prompt: PromptVersion) -> str | None:
    """Why a prompt's answer cannot be recorded as an outcome, or None."""
    properties = (prompt.head.output or {}).get("properties")
    score = properties.get(SCORE) if isinstance(properties, dict) else None
    required = (prompt.head.output or {}).get("required")
    is_there = isinstance(required, list) and SCORE in required
    if isinstance(score, dict) and is_there:
        if score.get("type") == "boolean":
            return None
        bounds = score.get("minimum"), score.get("maximum")
        if score.get("type") in {"number", "integer"} and bounds == (0, 1):
            return None
    return (
        f"prompt {prompt.name!r} gives no score: its `output` needs a required {SCORE!r} of"
        " {type: number, minimum: 0, maximum: 1}, or a boolean"
    )
