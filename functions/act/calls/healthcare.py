"""The clinic's appointment desk as code: what an agent does by its prompt, decided here.

Plans only; its flow carries the plan out. Changing a weight or a threshold here takes a deployment.
"""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - the argument is called date

from pydantic import BaseModel

from functions.act.tools.healthcare import (
    GOOD,
    Appointment,
    Assigned,
    MatchScore,
    Waitlisted,
    calculate_match_score,
    get_affected_appointments,
    get_available_providers,
)
from shared.calls import registered


class Plan(BaseModel):
    """What is to become of each affected appointment."""

    total_affected: int
    assignments: list[Assigned]
    waitlist: list[Waitlisted]


@registered("healthcare.plan", pure=True)
def plan(provider_id: str, date: Date) -> Plan:
    """The best provider for each appointment; the waitlist where none is a good match."""
    affected = get_affected_appointments(provider_id, date)
    assignments, waitlist = [], []
    for appointment in affected.appointments:
        provider, match = _best(appointment)
        if match is None or match.score < GOOD:
            reason = f"No provider reaches {GOOD} points."
            waitlist.append(Waitlisted(appointment_id=appointment.id, reason=reason))
        else:
            assignments.append(Assigned(appointment_id=appointment.id, provider_id=provider))
    return Plan(total_affected=affected.count, assignments=assignments, waitlist=waitlist)


def _best(appointment: Appointment) -> tuple[str, MatchScore | None]:
    """The provider who suits best, with the score; of equal ones the last."""
    available = get_available_providers(appointment.date, appointment.specialty).providers
    scored = [
        (provider.id, calculate_match_score(appointment.patient_id, provider.id))
        for provider in available
    ]
    return max(reversed(scored), key=lambda one: one[1].score, default=("", None))
