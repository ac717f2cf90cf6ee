"""Armed faults: which requests they meet, how often, and what is refused when arming."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.standin.faults import BadControlError, Fault, FaultBoard, armed_from, seconds
from emulator.standin.question import Question, read


def asked(text: str = "hi", prompt: str = "", method: str = "generateContent") -> Question:
    body = {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "labels": {"segue-prompt": prompt},
    }
    return read(f"v1/publishers/google/models/m:{method}", json.dumps(body).encode())


def board(*orders: dict[str, Any]) -> FaultBoard:
    armed = FaultBoard()
    for order in orders:
        armed.arm(armed_from(order))
    return armed


def met(armed: FaultBoard, question: Question) -> Fault | None:
    taken = armed.take(question)
    return None if taken is None else taken.fault


def test_a_fault_is_used_up() -> None:
    armed = board({"fault": "429", "times": 2})
    assert [met(armed, asked()) for _ in range(3)] == [Fault.QUOTA, Fault.QUOTA, None]


def test_a_fault_without_times_stays_until_it_is_disarmed() -> None:
    armed = board({"fault": "hang"})
    assert [met(armed, asked()) for _ in range(3)] == [Fault.HANG] * 3
    assert armed.clear() == 1
    assert met(armed, asked()) is None


def test_only_what_is_meant_is_met() -> None:
    armed = board({"fault": "drop", "contains": "ORDER", "prompt": "support/draft"})
    assert met(armed, asked("my order", "joke/write")) is None
    assert met(armed, asked("my cat", "support/draft")) is None
    assert met(armed, asked("my order", "support/draft")) is Fault.DROP
    assert met(armed, asked("my order", "support-draft")) is Fault.DROP


def test_faults_are_met_in_the_order_of_arming() -> None:
    armed = board({"fault": "500", "times": 1}, {"fault": "503", "times": 1})
    assert [met(armed, asked()) for _ in range(3)] == [Fault.INTERNAL, Fault.UNAVAILABLE, None]


def test_embeddings_are_spared_unless_they_are_named() -> None:
    assert met(board({"fault": "500"}), asked(method="predict")) is None
    assert met(board({"fault": "500", "on": "embed"}), asked(method="predict")) is Fault.INTERNAL
    assert met(board({"fault": "500", "on": "any"}), asked(method="countTokens")) is Fault.INTERNAL


def test_being_slow_has_a_default_and_takes_a_delay() -> None:
    assert armed_from({"fault": "slow"}).delay == 2.0
    assert armed_from({"fault": "slow", "delay": "200ms"}).delay == 0.2
    assert armed_from({"fault": "429"}).delay == 0.0


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ({}, "unknown fault None: use one of 429, 503"),
        ({"fault": "429", "time": 1}, "unknown key 'time'"),
        ({"fault": "429", "times": 0}, "times is 0"),
        ({"fault": "429", "times": True}, "times is True"),
        ({"fault": "429", "on": "embeddings"}, "use one of generate, embed"),
        ({"fault": "slow", "delay": 5}, "5 is no duration"),
    ],
)
def test_what_is_wrong_is_refused_with_the_remedy(order: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadControlError) as caught:
        armed_from(order)
    assert problem in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("200ms", 0.2), ("1.5s", 1.5), ("2m", 120.0)])
def test_durations_have_units(text: str, value: float) -> None:
    assert seconds(text) == value
