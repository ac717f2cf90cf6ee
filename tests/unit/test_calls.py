"""Registered functions: called by name with checked arguments, their results as JSON."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from shared import calls
from shared.calls import invoke, registered, registered_names
from shared.errors import ActionFailedError, ActionInvalidError, EffectUnavailableError

SINCE = "2026-01-01T00:00:00Z"


class Customer(BaseModel):
    """A result with a type of its own."""

    name: str
    since: datetime


class Rate(BaseModel):
    """A result with a number in it."""

    per_day: float


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_REGISTERED", {})

    @registered("crm.find")
    def find(email: str, plan: Literal["free", "team"] = "free") -> Customer:
        assert threading.current_thread() is not threading.main_thread()
        return Customer(name=f"{email} {plan}", since=datetime(2026, 1, 1, tzinfo=UTC))

    @registered("math.double")
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    @registered("fails")
    def fails(how: str) -> Any:
        raised: dict[str, Exception] = {
            "defect": ZeroDivisionError("by nothing"),
            "retry": EffectUnavailableError("later"),
        }
        if how in raised:
            raise raised[how]
        return TypeAdapter(int).validate_python("no number")

    @registered("gives")
    def gives(what: str) -> Any:
        given: dict[str, Any] = {
            "object": object(),
            "half": "\ud800",
            "tuple": (1, 2),
            "nan": [float("nan")],
            "infinity": {"far": float("-inf")},
            "nan in a model": Rate(per_day=float("nan")),
        }
        return given[what]


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("crm.find", {"email": "a"}, {"name": "a free", "since": SINCE}),
        ("crm.find", {"email": "a", "plan": "team"}, {"name": "a team", "since": SINCE}),
        ("math.double", {"number": 4}, 8),
        ("math.double", {"number": "4"}, 8),
        ("gives", {"what": "tuple"}, [1, 2]),
    ],
)
async def test_a_function_is_called_by_name_and_its_result_is_json(
    name: str, arguments: dict[str, Any], result: object
) -> None:
    assert await invoke(name, arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("crm.lose", {}, "'crm.lose'; there are: crm.find, fails, gives, math.double"),
        ("crm.find", {}, "crm.find: email: Missing required argument"),
        ("crm.find", {"email": "a", "plan": "gold"}, "crm.find: plan: Input should be"),
        ("crm.find", {"email": "a", "colour": "red"}, "crm.find: colour: Unexpected keyword"),
        ("math.double", {"number": "x"}, "math.double: number: Input should be a valid integer"),
    ],
)
async def test_a_call_that_does_not_fit_is_invalid(
    name: str, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ActionInvalidError) as caught:
        await invoke(name, arguments)
    assert complaint in caught.value.detail


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("fails", {"how": "defect"}, "fails raised ZeroDivisionError: by nothing"),
        ("fails", {"how": "validation"}, "fails raised"),
        ("gives", {"what": "object"}, "gives returned what JSON cannot hold"),
        ("gives", {"what": "half"}, "gives returned what JSON cannot hold"),
        ("gives", {"what": "nan"}, "gives returned what JSON cannot hold"),
        ("gives", {"what": "infinity"}, "gives returned what JSON cannot hold"),
        ("gives", {"what": "nan in a model"}, "gives returned what JSON cannot hold"),
    ],
)
async def test_a_function_that_fails_is_the_steps_failure(
    name: str, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ActionFailedError) as caught:
        await invoke(name, arguments)
    assert complaint in caught.value.detail


async def test_a_function_can_ask_for_a_retry() -> None:
    with pytest.raises(EffectUnavailableError, match="later"):
        await invoke("fails", {"how": "retry"})


def test_a_name_can_be_taken_once() -> None:
    with pytest.raises(ValueError, match=r"'crm.find' is registered already, as .*find"):
        registered("crm.find")(lambda: None)
    assert registered_names() == {"crm.find", "math.double", "fails", "gives"}
