"""The tools of the healthcare example: deterministic, and the best that can be done is known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

import functions.act.tools  # noqa: F401 - registers them
from functions.act.calls.healthcare import plan
from shared.errors import ToolArgumentsError, ToolRefusal
from shared.testing.memory import MemoryStore
from shared.tools import StoredRecords, ToolContext, invoke

NOW = datetime(2025, 11, 21, tzinfo=UTC)
DAY = "2025-11-21"


def context(key: str = "k") -> ToolContext:
    return ToolContext("r", "s", "c", key, "x", NOW, StoredRecords(MemoryStore(), lambda: NOW))


async def ask(name: str, **args: Any) -> Any:
    return await invoke(name, args, context())


async def best(appointment: dict[str, Any], weights: dict[str, float] | None = None) -> Any:
    """(score, provider) of the provider who suits best."""
    there = await ask("get_available_providers", date=DAY, specialty=appointment["specialty"])
    scored = []
    for provider in there["providers"]:
        pair = {"patient_id": appointment["patient_id"], "provider_id": provider["id"]}
        match = await ask("calculate_match_score", **pair, weights=weights)
        scored.append((match["score"], provider["id"], match["recommendation"]))
    return max(scored)


async def test_two_of_three_appointments_have_a_good_match_and_one_has_a_poor_one() -> None:
    affected = await ask("get_affected_appointments", provider_id="T001", date=DAY)
    assert affected["count"] == 3
    found = {each["id"]: await best(each) for each in affected["appointments"]}
    assert {name: (provider, grade) for name, (_, provider, grade) in found.items()} == {
        "A001": ("P001", "EXCELLENT"),
        "A002": ("P003", "EXCELLENT"),
        "A003": ("P005", "POOR"),
    }


async def test_other_weights_change_who_is_good_enough() -> None:
    affected = await ask("get_affected_appointments", provider_id="T001", date=DAY)
    weights = {
        "specialty": 60,
        "gender": 10,
        "continuity": 20,
        "location": 15,
        "experience": 15,
        "capacity": 80,
    }
    assert await best(affected["appointments"][2], weights) == (71, "P005", "GOOD")


async def test_six_factors_add_up_to_the_score() -> None:
    match = await ask("calculate_match_score", patient_id="PAT001", provider_id="P001")
    assert len(match["factors"]) == 6
    assert match["score"] == round(sum(match["factors"].values()))
    assert 0 <= match["score"] <= 200


async def test_weights_of_more_than_two_hundred_are_not_taken() -> None:
    pair = {"patient_id": "PAT001", "provider_id": "P001"}
    with pytest.raises(ToolArgumentsError, match="the six add up to 250; 200 is the most"):
        await ask("calculate_match_score", **pair, weights={"specialty": 90})


async def test_an_assignment_made_again_is_the_same_one() -> None:
    given = context()
    args = {"appointment_id": "A001", "new_provider_id": "P001"}
    first = await invoke("assign_appointment", args, given)
    assert first == {"success": True, "appointment_id": "A001", "provider_id": "P001"}
    assert await invoke("assign_appointment", args, given) == first
    assert await given.records.get("k") == first


async def test_an_appointment_that_nobody_suits_waits_with_its_reason() -> None:
    waiting = await ask("add_to_waitlist", appointment_id="A003", reason="No good match.")
    assert waiting == {"success": True, "appointment_id": "A003", "reason": "No good match."}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("get_affected_appointments", {"provider_id": "P9", "date": DAY}),
        ("get_patient_details", {"patient_id": "PAT9"}),
        ("calculate_match_score", {"patient_id": "PAT001", "provider_id": "P9"}),
        ("assign_appointment", {"appointment_id": "A9", "new_provider_id": "P001"}),
        ("assign_appointment", {"appointment_id": "A001", "new_provider_id": "P004"}),
        ("add_to_waitlist", {"appointment_id": "A9", "reason": ""}),
    ],
)
async def test_what_is_not_there_is_refused_in_a_sentence(name: str, args: dict[str, Any]) -> None:
    with pytest.raises(ToolRefusal, match=r"(There is no|not available)"):
        await ask(name, **args)


def test_the_desk_as_code_plans_for_every_appointment():
    made = plan("T001", date(2025, 11, 21))
    assert made.total_affected == 3
    assert [(one.appointment_id, one.provider_id) for one in made.assignments] == [
        ("A001", "P001"),
        ("A002", "P003"),
    ]
    assert [one.appointment_id for one in made.waitlist] == ["A003"]
