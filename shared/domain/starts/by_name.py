"""The event that starts one flow by its name, and whose step the run is that it opens.

Decides type, ids and attributes; who sends it and what follows from it is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain import ids
from shared.domain.events import ONLY_FLOW
from shared.domain.model import Wire

START = "segue.flow.start"  # type of the event; its subject is the flow
PARENT_RUN = "segue-parent-run"  # attributes: the run and the step that wait for it
PARENT_STEP = "segue-parent-step"
FAILED_RUN = "segue-failed-run"  # attribute: the run whose hook it starts


@dataclass(frozen=True)
class Child:
    """A run that a step opens: of `flow`, as the step's `nth` child, counted from 1."""

    parent: str
    step: str
    flow: str
    nth: int = 1

    @property
    def event_id(self) -> str:
        """The same step and count, the same event: sent again, it opens nothing again."""
        return ids.digest("child", self.parent, self.step, str(self.nth), length=24)

    @property
    def source(self) -> str:
        return f"//segue/runs/{self.parent}/steps/{self.step}"

    @property
    def run_id(self) -> str:
        return ids.run_id(self.flow, ids.event_key(self.source, self.event_id))

    def attributes(self, *, awaited: bool = True) -> Mapping[str, str]:
        """Of the message that opens it; of one that is not awaited, nobody is the parent."""
        waiting = {PARENT_RUN: self.parent, PARENT_STEP: self.step} if awaited else {}
        return {
            "ce-specversion": "1.0",
            "ce-id": self.event_id,
            "ce-source": self.source,
            **by_name(self.flow),
            **waiting,
        }


class ParentRef(Wire):
    """The step of another run that waits for this one."""

    run_id: str
    step: str


class ChildRef(Wire):
    """The run that a step has opened, and the how manieth of the step's it is."""

    run_id: str
    nth: int = 1


def by_name(flow: str) -> Mapping[str, str]:
    """The attributes that make an event one that starts this flow."""
    return {"ce-type": START, "ce-subject": flow, ONLY_FLOW: flow}


def parent_of(attributes: Mapping[str, str]) -> tuple[str, str] | None:
    """(run, step) that waits for the run that a message opens; None where nobody does."""
    run, step = attributes.get(PARENT_RUN), attributes.get(PARENT_STEP)
    return (run, step) if run and step and attributes.get("ce-type") == START else None
