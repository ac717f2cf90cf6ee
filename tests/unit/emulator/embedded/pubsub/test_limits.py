"""What is refused of topics, subscriptions and messages, at the edges of every limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.embedded.pubsub.limits import (
    DAY,
    MINUTE,
    check_extension,
    check_limit,
    checked_subscription,
    checked_topic,
)
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Message,
    Push,
    RetryPolicy,
    Subscription,
    Topic,
)
from emulator.embedded.pubsub.publish_limits import check_publish
from emulator.embedded.refusal import Refusal, Status

TOPIC = Topic("projects/p/topics/top")
SUBSCRIPTION = Subscription("projects/p/subscriptions/sub", TOPIC.name)
PUSH = Push("https://example.com/")


def dead(attempts):
    return DeadLetterPolicy("projects/p/topics/dead", attempts)


def message(data=b"x", key="", **attributes):
    return Message("", data, attributes, 0, key)


GOOD = [
    {"ack_deadline": 10 * SECOND},
    {"ack_deadline": 600 * SECOND},
    {"retention": 10 * MINUTE},
    {"retention": 31 * DAY},
    {"expires_after": None},
    {"expires_after": DAY, "retention": DAY},
    {"dead_letter": dead(5)},
    {"dead_letter": dead(100)},
    {"retry": RetryPolicy(0, 0)},
    {"retry": RetryPolicy(600 * SECOND, 600 * SECOND)},
    {"push": PUSH},
    {"push": Push("http://127.0.0.1:8080/x")},
    {"push": Push("http://[::1]:8080/x")},
    {"exactly_once": True},
    {"labels": {"a_1-é": "", "b": "x" * 63}},
    {"filter": "attributes:a"},
]
BAD = [
    {"name": "projects/p/subscriptions/goog"},
    {"ack_deadline": 9 * SECOND},
    {"ack_deadline": 601 * SECOND},
    {"retention": 10 * MINUTE - 1},
    {"retention": 31 * DAY + 1},
    {"expires_after": DAY - 1, "retention": 10 * MINUTE},
    {"expires_after": 6 * DAY},
    {"dead_letter": dead(4)},
    {"dead_letter": dead(101)},
    {"dead_letter": DeadLetterPolicy("dead", 5)},
    {"retry": RetryPolicy(2 * SECOND, SECOND)},
    {"retry": RetryPolicy(-1, SECOND)},
    {"retry": RetryPolicy(0, 601 * SECOND)},
    {"push": PUSH, "exactly_once": True},
    *(
        {"push": Push(endpoint)}
        for endpoint in ("example.com", "ftp://host/", "http://", "http:///x", "https://:80/")
    ),
    *(
        {"push": Push(endpoint)}
        for endpoint in ("http://[::1", "http://host:x/", "http://host:65536/", "http://host:0/")
    ),
    {"labels": {"A": ""}},
    {"labels": {"1a": ""}},
    {"labels": {"": ""}},
    {"labels": {"a b": ""}},
    {"labels": {"a" * 64: ""}},
    {"labels": {"a": "B"}},
    {"labels": {"a": "x" * 64}},
    {"labels": {f"k{n}": "" for n in range(65)}},
    {"filter": "nonsense"},
]


@pytest.mark.parametrize("settings", GOOD)
def test_what_is_within_the_limits_is_kept(settings):
    wanted = replace(SUBSCRIPTION, **settings)

    assert checked_subscription(wanted) == wanted


@pytest.mark.parametrize("settings", BAD)
def test_what_is_outside_is_refused(settings):
    with pytest.raises(Refusal) as refused:
        checked_subscription(replace(SUBSCRIPTION, **settings))

    assert refused.value.status is Status.INVALID_ARGUMENT


def test_zeros_become_defaults():
    wanted = replace(SUBSCRIPTION, ack_deadline=0, dead_letter=dead(0), push=Push(""))

    kept = checked_subscription(wanted)

    assert (kept.ack_deadline, kept.dead_letter, kept.push) == (10 * SECOND, dead(5), None)


def test_a_refusal_uses_the_words_of_production():
    expected = (
        "The value for max_delivery_attempts is too small. "
        "You passed 4 in the request, but the minimum value is 5."
    )
    with pytest.raises(Refusal) as refused:
        checked_subscription(replace(SUBSCRIPTION, dead_letter=dead(4)))

    assert refused.value.message == expected


@pytest.mark.parametrize("retention", [None, 10 * MINUTE, 31 * DAY])
def test_a_topic_may_retain(retention):
    assert checked_topic(replace(TOPIC, retention=retention)).retention == retention


@pytest.mark.parametrize(
    "settings", [{"retention": 0}, {"retention": 32 * DAY}, {"labels": {"A": ""}}, {"name": "top"}]
)
def test_a_topic_outside_the_limits_is_refused(settings):
    with pytest.raises(Refusal):
        checked_topic(replace(TOPIC, **settings))


@pytest.mark.parametrize("seconds", [0, 600])
def test_deadlines_may_be_modified_within_bounds(seconds):
    check_extension(seconds * SECOND)


@pytest.mark.parametrize("seconds", [-1, 601])
def test_deadlines_outside_are_refused(seconds):
    with pytest.raises(Refusal):
        check_extension(seconds * SECOND)


def test_a_pull_of_nothing_is_refused():
    check_limit(1)
    with pytest.raises(Refusal, match="max_messages is too small"):
        check_limit(0)


PUBLISHABLE = [
    [message()],
    [message(b"", a="")],
    [message()] * 1000,
    [message(b"x" * 10_000_000)],
    [message(**{f"k{n}": "" for n in range(100)})],
    [message(**{"k" * 256: "v" * 1024})],
    [message(googclient_traceparent="00-1-2-01")],
    [message(key="k" * 1024)],
]
UNPUBLISHABLE = [
    ([], "at least one message"),
    ([message(), message(b"")], "is empty"),
    ([message(b"", key="k")], "is empty"),
    ([message()] * 1001, "You passed 1001 in the request, but the maximum value is 1000"),
    ([message(b"x" * 10_000_001)], "request_size is too large"),
    ([message(b"x" * 5_000_000, k="v")] * 2, "request_size is too large"),
    ([message(**{f"k{n}": "" for n in range(101)})], "attribute_count is too large"),
    ([message(**{"k" * 257: ""})], "The length is 257 characters"),
    ([message(**{"é" * 129: ""})], "The length is 258 characters"),
    ([message(k="v" * 1025)], 'The attribute "k" in the request has a value that is too long'),
    ([message(**{"": "v"})], "empty key"),
    ([message(google="v")], 'must not begin with "goog"'),
    ([message(key="k" * 1025)], "ordering_key_size is too large"),
]


@pytest.mark.parametrize("messages", PUBLISHABLE)
def test_messages_within_the_limits_may_be_published(messages):
    check_publish(messages)


@pytest.mark.parametrize(("messages", "why"), UNPUBLISHABLE)
def test_one_bad_message_refuses_the_request(messages, why):
    with pytest.raises(Refusal, match=why) as refused:
        check_publish(messages)

    assert refused.value.status is Status.INVALID_ARGUMENT
