"""Steps that are opened by whoever advances the run, as no stage works on them as they are.

Decides who opens which. An opener knows how such a step begins; that it does so once is decided in
`progress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.delivery.deps import Deps
from shared.delivery.maps.opening import Maps
from shared.delivery.scope import Scope
from shared.domain.records import StepRecord
from shared.domain.step import AgentStep, FlowStep, WaitStep

Variables = Mapping[str, Any]


class StepOpener(Protocol):
    """Opens steps of one run, in the hands of one delivery."""

    async def record(self, step: str, variables: Variables) -> StepRecord:
        """What is created: a step that goes on, or one that has succeeded with it.

        Raises Permanent where the step cannot begin: then it is buried.
        """
        ...

    def has_begun(self, found: StepRecord) -> bool:
        """Whether the record that is there is of a step that goes on; else it is replaced."""
        ...

    def anew(self, fresh: StepRecord, found: StepRecord) -> StepRecord:
        """What takes the place of the record of a step that has not begun."""
        ...

    async def begun(self, record: StepRecord, variables: Variables) -> None:
        """Called when the record of a step that goes on is there, and each time that is repeated.

        Sends what has to be sent; doing it again must be harmless.
        """
        ...


def opener_of(step: str, deps: Deps, scope: Scope) -> StepOpener | None:
    """Who opens the step; None where it is sent to its stage."""
    declared = scope.version.flow.steps[step]
    if declared.foreach is not None:
        return Maps(deps, scope)
    if isinstance(declared, WaitStep):
        # Loaded where a flow has such steps; besides, ending one advances the run.
        from shared.delivery.waits.opening import Waits  # noqa: PLC0415

        return Waits(deps, scope)
    if isinstance(declared, FlowStep):
        from shared.delivery.children.opening import Children  # noqa: PLC0415

        return Children(deps, scope)
    if isinstance(declared, AgentStep):
        from shared.delivery.agents.opening import Agents  # noqa: PLC0415

        return Agents(deps, scope)
    return None
