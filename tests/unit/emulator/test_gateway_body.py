"""Push bodies gain `deliveryAttempt` and nothing else; other bodies are not touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.gateway import Attempts, with_attempt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def push(message: Any, subscription: Any = "projects/p/subscriptions/s") -> dict[str, Any]:
    return {"message": message, "subscription": subscription}


@given(
    data=st.text(),
    attributes=st.dictionaries(st.text(), st.text(), max_size=4),
    indent=st.sampled_from([None, 2]),
    before=st.sampled_from(["", " ", "\n\t"]),
)
def test_the_attempt_is_added_and_the_rest_is_kept(
    data: str, attributes: dict[str, str], indent: int | None, before: str
) -> None:
    sent = push({"messageId": "1", "data": data, "attributes": attributes})
    body = (before + json.dumps(sent, indent=indent)).encode()
    assert json.loads(with_attempt(body, Attempts(), 0.0)) == {**sent, "deliveryAttempt": 1}


@given(value=JSON)
def test_what_is_no_push_body_is_not_touched(value: Any) -> None:
    body = json.dumps(value).encode()
    assert with_attempt(body, Attempts(), 0.0) is body


@given(body=st.binary())
def test_what_is_no_json_is_not_touched(body: bytes) -> None:
    assert with_attempt(body, Attempts(), 0.0) is body


@pytest.mark.parametrize(
    "sent",
    [
        push("text"),
        push({"messageId": 1}),
        push({}),
        push({"messageId": "1"}, subscription=None),
        {**push({"messageId": "1"}), "deliveryAttempt": 7},
    ],
)
def test_what_only_looks_like_a_push_body_is_not_touched(sent: dict[str, Any]) -> None:
    body = json.dumps(sent).encode()
    assert with_attempt(body, Attempts(), 0.0) is body


def test_the_slashes_the_emulator_escapes_stay_escaped() -> None:
    body = b'{"message":{"messageId":"1"},"subscription":"projects\\/p\\/subscriptions\\/s"}'
    assert with_attempt(body, Attempts(), 0.0) == b'{"deliveryAttempt":1,' + body[1:]


def test_attempts_are_counted_for_each_subscription_and_message() -> None:
    attempts = Attempts()
    assert [attempts.count("s", "1", 0.0) for _ in range(3)] == [1, 2, 3]
    assert attempts.count("s", "2", 0.0) == 1
    assert attempts.count("t", "1", 0.0) == 1


def test_what_was_not_seen_for_long_is_forgotten() -> None:
    attempts = Attempts(forget_after=10.0)
    attempts.count("s", "old", 0.0)
    attempts.count("s", "kept", 5.0)
    assert attempts.count("s", "kept", 11.0) == 2
    assert len(attempts) == 1
    assert attempts.count("s", "old", 11.0) == 1
