"""The flows that Segue comes with, under misfortune."""

from __future__ import annotations

from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import echoing, shipped

TICKET = {"id": "T-1", "from": "ada@example.com", "subject": "Hm", "body": "It is broken."}
SORTED = {"category": "billing", "urgency": "high", "summary": "Broken.", "confidence": 0.9}
REPLY = {"subject": "Re: Hm", "text": "We are sorry.", "confidence": 0.8}
JOKE = Case.revised(
    "joke",
    shipped(),
    "joke.requested",
    {"topic": "chaos"},
    model=lambda: ScriptedModel({"joke/write": "Ha."}, default=echoing),
)
SUPPORT = Case.revised(
    "support",
    shipped(),
    "support.ticket.created",
    TICKET,
    model=lambda: ScriptedModel(
        {"support/classify": SORTED, "support/draft": REPLY}, default=echoing
    ),
)
