"""Whether what undoes a step makes sense: it is checked as the step that it becomes.

How that step is put together is decided in `shared.domain.undoing`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter

from shared.domain.flow import Flow
from shared.domain.step import AnyStep, Step
from shared.domain.undoing import NAME_LENGTH, PREFIX, SUFFIX
from shared.prompting.source import Location, Problem, Source

_STEP: TypeAdapter[Step] = TypeAdapter(AnyStep)


def name_problems(source: Source, flow: Flow) -> Iterator[Problem]:
    """What is wrong with the names in a flow that can be undone: undoing gives them an end more."""
    if not flow.compensates:
        return
    if len(flow.flow) > NAME_LENGTH:
        yield source.problem(
            ("flow",),
            f"a flow with `compensate` has a name of at most {NAME_LENGTH} characters: the flow"
            f" that undoes it is called after it, with {SUFFIX!r}",
        )
    for name, step in flow.steps.items():
        if step.compensate is not None and len(name) > NAME_LENGTH:
            yield source.problem(
                ("steps", name),
                f"a step with `compensate` has a name of at most {NAME_LENGTH} characters",
            )
        if name.startswith(PREFIX):
            yield source.problem(
                ("steps", name),
                f"names that begin with {PREFIX!r} are those of steps that undo others; rename"
                f" step {name!r}, as this flow has `compensate`",
            )


def undone(flow: Flow, name: str) -> Flow:
    """The flow as the compensation of one of its steps sees it: of a map, a single item."""
    single = flow.steps[name].model_copy(update={"foreach": None})
    return flow.model_copy(update={"steps": {**flow.steps, name: single}})


def as_step(step: Step) -> Step:
    """What undoes a step, as a step."""
    assert step.compensate is not None
    written = step.compensate.model_dump(by_alias=True, exclude_unset=True)
    return _STEP.validate_python(written)


class Below(Source):
    """A file in which what is said of a step is said of what undoes it."""

    def problem(self, location: Location, message: str) -> Problem:
        steps, name, *rest = location
        return super().problem((steps, name, "compensate", *rest), message)
