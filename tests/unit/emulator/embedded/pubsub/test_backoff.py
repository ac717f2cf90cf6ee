"""How long a message waits after each failure."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.backoff import delay
from emulator.embedded.pubsub.model import SECOND, RetryPolicy


def seconds(policy, failures, *, pushed=False):
    return [delay(policy, failure, pushed=pushed) / SECOND for failure in failures]


def test_the_wait_doubles_up_to_the_maximum():
    assert seconds(RetryPolicy(SECOND, 5 * SECOND), range(1, 6)) == [1, 2, 4, 5, 5]


def test_the_default_policy_waits_from_10_to_600_seconds():
    assert seconds(RetryPolicy(), [1, 2, 7, 100]) == [10, 20, 600, 600]


def test_without_a_policy_a_pulled_message_does_not_wait():
    assert seconds(None, [1, 50]) == [0, 0]


def test_without_a_policy_a_pushed_message_waits_100_ms_to_60_s():
    assert seconds(None, [1, 2, 3, 50], pushed=True) == [0.1, 0.2, 0.4, 60]


@pytest.mark.parametrize(("pushed", "wait"), [(False, 0), (True, 0.1)])
def test_a_push_never_goes_on_at_once(pushed, wait):
    assert seconds(RetryPolicy(0, 0), [1, 9], pushed=pushed) == [wait, wait]
