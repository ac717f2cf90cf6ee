"""Commands: which events are one, and what they must carry."""

from __future__ import annotations

import json

import pytest

from shared.domain.commands import COMMANDS, OWN, Signal, command_of
from shared.domain.events import Event, from_message
from shared.errors import EventInvalidError
from shared.testing.memory import ManualClock


def event(event_type: str, data: object) -> Event:
    attributes = {"ce-type": event_type, "ce-id": "1"}
    now = ManualClock().now()
    return from_message(attributes, json.dumps(data).encode(), message_id="m", published_at=now)


def test_a_fact_is_no_command() -> None:
    assert command_of(event("order.paid", {"run": "r"})) is None


def test_a_command_carries_what_it_asks() -> None:
    data = {"run": "r", "name": "paid", "data": {"n": 1}, "by": "ada", "unknown": 1}
    assert command_of(event("segue.run.signal", data)) == Signal(
        run="r", name="paid", data={"n": 1}, by="ada"
    )


@pytest.mark.parametrize("data", [None, [], {}, {"run": ""}, {"run": "r"}, {"run": "r", "name": 7}])
def test_a_command_that_lacks_something_is_refused(data: object) -> None:
    with pytest.raises(EventInvalidError, match=r"segue\.run\.signal: "):
        command_of(event("segue.run.signal", data))


def test_all_orders_have_types_that_nobody_outside_may_send() -> None:
    """An outcome orders nothing, and comes from outside as a rule."""
    assert [name for name in COMMANDS if not name.startswith(OWN)] == ["outcome.recorded"]


@pytest.mark.parametrize("value", ["1", None, [1]])
def test_an_outcome_is_a_number_or_true_or_false(value: object) -> None:
    told = {"run": "r", "name": "helpful", "value": value}
    with pytest.raises(EventInvalidError, match=r"outcome\.recorded: value"):
        command_of(event("outcome.recorded", told))
