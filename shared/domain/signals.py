"""What somebody has told a run, as it is kept: a signal, or the decision of an approver."""

from __future__ import annotations

from datetime import datetime

from shared.domain import ids
from shared.domain.model import Json
from shared.domain.records import Record
from shared.domain.waiting import ForApproval, ForOutcome, Wait


def signal_path(run_id: str, name: str) -> str:
    return f"runs/{run_id}/signals/{ids.signal_id(name)}"


class SignalRecord(Record):
    """`runs/{run_id}/signals/{name}`: what somebody has told the run. The first of a name counts.

    `event` is the key of the event that brought it.
    """

    JSON_FIELDS = frozenset({"data"})

    run_id: str
    name: str
    data: Json = None
    by: str | None = None
    at: datetime
    event: str
    expire_at: datetime

    def output(self) -> dict[str, Json]:
        """What the step that waited for it gives."""
        return {"data": self.data, "by": self.by, "at": self.at.isoformat()}

    def decision(self) -> dict[str, Json]:
        """What it says of an approval."""
        said = self.data if isinstance(self.data, dict) else {}
        told = {"approved": said.get("approved") is True, "comment": said.get("comment")}
        return {**told, "by": self.by, "at": self.at.isoformat()}


def barred(wait: Wait, by: str | None) -> str:
    """Why they may not end the wait; empty where they may."""
    if not isinstance(wait, ForApproval) or not wait.approvers or by in wait.approvers:
        return ""
    who = "nobody in particular" if by is None else repr(by)
    return f"{who} may not decide this; {', '.join(wait.approvers)} may"


def unfit(wait: Wait, data: Json) -> str:
    """Why a wait does not take such data; empty where it does, as far as can be told here."""
    if not isinstance(wait, ForApproval):
        return ""
    decision = data.get("approved") if isinstance(data, dict) else None
    if isinstance(wait, ForOutcome) and isinstance(data, dict) and data.get("happened") is True:
        return ""
    if not isinstance(decision, bool):
        return "an approval's data is {approved: true} or {approved: false}, with a comment"
    comment = data.get("comment") if isinstance(data, dict) else None
    if comment is not None and not isinstance(comment, str):
        return "an approval's comment is a text"
    return ""
