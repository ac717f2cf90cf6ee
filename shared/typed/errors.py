"""What can be wrong with a typed flow; the class tells which, its docstring is the remedy."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import UsageError
from shared.prompting.source import Problem


class FlowInvalidError(UsageError):
    """Correct the lines named above; annotations of `@step` methods are the flow's graph."""

    def __init__(self, flow: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        told = "\n".join(map(str, self.problems))
        super().__init__(f"flow {flow} makes no sense:\n{told}")


class FlowNameTakenError(UsageError):
    """Give one of the two another `name`."""
