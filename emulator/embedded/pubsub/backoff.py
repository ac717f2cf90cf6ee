"""How long a message waits between two deliveries. Must not know messages, queues or any clock.

The formula is not published; doubling from the minimum up to the maximum fits what is:
https://cloud.google.com/pubsub/docs/handling-failures#exponential_backoff
"""

from __future__ import annotations

from emulator.embedded.pubsub.model import SECOND, RetryPolicy

# https://cloud.google.com/pubsub/docs/push#push_backoff: 100 ms to 60 s. Production slows down the
# whole subscription by its share of failures; here each message is slowed down by its own.
PUSH = RetryPolicy(minimum=SECOND // 10, maximum=60 * SECOND)
_DOUBLINGS = 40  # beyond any maximum there may be


def delay(policy: RetryPolicy | None, failures: int, *, pushed: bool) -> int:
    """Microseconds between the failure of a message and its next delivery.

    `failures` counts from 1. Without a policy a pulled message is deliverable at once, and a
    pushed one follows `PUSH`; with one, a push still waits no less than `PUSH.minimum`, so that an
    endpoint which refuses everything is not called in a tight loop.
    """
    if policy is None:
        return _doubled(PUSH, failures) if pushed else 0
    wait = _doubled(policy, failures)
    return max(wait, PUSH.minimum) if pushed else wait


def _doubled(policy: RetryPolicy, failures: int) -> int:
    return min(policy.minimum << min(failures - 1, _DOUBLINGS), policy.maximum)
