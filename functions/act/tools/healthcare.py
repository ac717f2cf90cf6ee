"""Tools for finding other providers when one falls ill, over the local data in `healthcare.json`.

Six factors make a score; how much each counts may be given with the call, so a prompt decides it.
A real one would ask a clinic's system here.
"""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from math import hypot
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.errors import ToolRefusal
from shared.tools import ToolContext, tool

HIGHEST = 200
EXCELLENT, GOOD = 80, 60
_NEAR_KM = 50.0  # beyond it, a provider's place counts nothing
_USED_TO_YEARS = 10.0  # a gap in experience as large as this counts nothing
_ROOMY = 4  # free places from which on capacity counts in full
_DEGREE_KM = (111.0, 68.0)  # of latitude and longitude, at 52 degrees north


class Appointment(BaseModel):
    """A visit that was to be with a provider."""

    id: str
    patient_id: str
    provider_id: str
    date: date
    time: str
    specialty: str


class Patient(BaseModel):
    """Who is to be seen, and what matters to them. `at` is latitude and longitude."""

    id: str
    name: str
    needs: str = Field(description="The specialty of their visit.")
    gender_preference: Literal["female", "male", "any"]
    language: str
    at: tuple[float, float]
    seen_by: list[str]
    used_to_years: int = Field(description="Years of experience of the provider they know.")


class Provider(BaseModel):
    """Who can see patients, where and on which days. `capacity` is places still free."""

    id: str
    name: str
    specialty: str
    gender: Literal["female", "male"]
    languages: list[str]
    at: tuple[float, float]
    years: int
    capacity: int
    days: list[date]


class Clinic(BaseModel):
    """All that is known. `related` specialties can stand in for each other, half as well."""

    appointments: list[Appointment]
    patients: list[Patient]
    related: list[tuple[str, str]]
    providers: list[Provider]


class Factors(BaseModel):
    """Points of the six factors: as weights, the most that each can give, at most 200 together."""

    model_config = ConfigDict(extra="forbid")

    specialty: float = Field(
        40, ge=0, description="What the patient needs; half for a related one."
    )
    gender: float = Field(
        30, ge=0, description="The patient's preference is met, or there is none."
    )
    continuity: float = Field(
        40, ge=0, description="The patient was seen by them before; half for a common language."
    )
    location: float = Field(30, ge=0, description="Near the patient; nothing from 50 km on.")
    experience: float = Field(
        30, ge=0, description="Like the provider they know; nothing for a gap of 10 years."
    )
    capacity: float = Field(30, ge=0, description="Places still free; in full from 4 on.")

    @model_validator(mode="after")
    def _add_up(self) -> Factors:
        if self.total > HIGHEST:
            raise ValueError(f"the six add up to {self.total:g}; {HIGHEST} is the most")
        return self

    @property
    def total(self) -> float:
        """All six."""
        return float(sum(self.model_dump().values()))


class Affected(BaseModel):
    """Appointments that need another provider."""

    appointments: list[Appointment]
    count: int


class Available(BaseModel):
    """Providers who could take over."""

    providers: list[Provider]
    count: int


class MatchScore(BaseModel):
    """How well a provider suits a patient."""

    score: int = Field(ge=0, le=HIGHEST)
    factors: Factors
    recommendation: Literal["EXCELLENT", "GOOD", "POOR"]


class Assigned(BaseModel):
    """An appointment that has another provider now."""

    success: Literal[True] = True
    appointment_id: str
    provider_id: str


class Waitlisted(BaseModel):
    """An appointment that waits for a provider."""

    success: Literal[True] = True
    appointment_id: str
    reason: str


@tool(effect="pure")
def get_affected_appointments(provider_id: str, date: date) -> Affected:
    """The appointments that a provider who is unavailable has on a day (YYYY-MM-DD)."""
    _provider(provider_id)
    found = [
        each
        for each in _clinic().appointments
        if each.provider_id == provider_id and each.date == date
    ]
    return Affected(appointments=found, count=len(found))


@tool(effect="pure")
def get_patient_details(patient_id: str) -> Patient:
    """What is known of a patient, preferences among it."""
    for patient in _clinic().patients:
        if patient.id == patient_id:
            return patient
    raise ToolRefusal(f"There is no patient {patient_id!r}.")


@tool(effect="pure")
def get_available_providers(date: date, specialty: str) -> Available:
    """Providers of a specialty, or of a related one, with free places on a day (YYYY-MM-DD)."""
    found = [
        each
        for each in _clinic().providers
        if date in each.days and each.capacity > 0 and _fit(specialty, each.specialty) > 0
    ]
    return Available(providers=found, count=len(found))


@tool(effect="pure")
def calculate_match_score(
    patient_id: str,
    provider_id: str,
    weights: Annotated[
        Factors | None, Field(description="The most that each factor can give; 200 in all.")
    ] = None,
) -> MatchScore:
    """How well a provider suits a patient: 0 to 200 points of six factors.

    From 80 on the match is EXCELLENT, from 60 on GOOD, below POOR.
    """
    parts = _parts(get_patient_details(patient_id), _provider(provider_id))
    most = (weights or Factors()).model_dump()
    factors = Factors(**{name: round(most[name] * part, 1) for name, part in parts.items()})
    score = min(round(factors.total), HIGHEST)
    grade = "EXCELLENT" if score >= EXCELLENT else "GOOD" if score >= GOOD else "POOR"
    return MatchScore.model_validate({"score": score, "factors": factors, "recommendation": grade})


@tool(effect="keyed")
async def assign_appointment(
    appointment_id: str, new_provider_id: str, context: ToolContext
) -> Assigned:
    """Give an appointment to another provider, who must be available on its day."""
    appointment, provider = _appointment(appointment_id), _provider(new_provider_id)
    if appointment.date not in provider.days:
        raise ToolRefusal(f"{provider.name} is not available on {appointment.date}.")
    done = Assigned(appointment_id=appointment_id, provider_id=new_provider_id)
    return Assigned.model_validate(await context.records.put(context.key, done.model_dump()))


@tool(effect="keyed")
async def add_to_waitlist(appointment_id: str, reason: str, context: ToolContext) -> Waitlisted:
    """Have an appointment wait until a provider suits; say why none does."""
    _appointment(appointment_id)
    done = Waitlisted(appointment_id=appointment_id, reason=reason)
    return Waitlisted.model_validate(await context.records.put(context.key, done.model_dump()))


def _parts(patient: Patient, provider: Provider) -> dict[str, float]:
    """Of each factor, how much of its weight it gives: 0 to 1."""
    knows, speaks = provider.id in patient.seen_by, patient.language in provider.languages
    return {
        "specialty": _fit(patient.needs, provider.specialty),
        "gender": float(patient.gender_preference in {"any", provider.gender}),
        "continuity": 1.0 if knows else 0.5 if speaks else 0.0,
        "location": max(0.0, 1 - _distance_km(patient.at, provider.at) / _NEAR_KM),
        "experience": max(0.0, 1 - abs(patient.used_to_years - provider.years) / _USED_TO_YEARS),
        "capacity": min(1.0, provider.capacity / _ROOMY),
    }


def _fit(wanted: str, specialty: str) -> float:
    if wanted == specialty:
        return 1.0
    return 0.5 if {wanted, specialty} in map(set, _clinic().related) else 0.0


def _distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """As the crow flies; within a country the earth is flat enough."""
    north, east = _DEGREE_KM
    return hypot((one[0] - other[0]) * north, (one[1] - other[1]) * east)


def _appointment(appointment_id: str) -> Appointment:
    for appointment in _clinic().appointments:
        if appointment.id == appointment_id:
            return appointment
    raise ToolRefusal(f"There is no appointment {appointment_id!r}.")


def _provider(provider_id: str) -> Provider:
    for provider in _clinic().providers:
        if provider.id == provider_id:
            return provider
    raise ToolRefusal(f"There is no provider {provider_id!r}.")


@lru_cache(maxsize=1)
def _clinic() -> Clinic:
    path = Path(__file__).with_name("healthcare.json")
    return Clinic.model_validate(json.loads(path.read_text("utf-8")))
