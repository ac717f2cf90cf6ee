"""Filters: https://cloud.google.com/pubsub/docs/subscription-message-filter."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import InvalidArgument
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import PubsubMessage

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.hook import Hook
from tests.conformance.pubsub.lane import data

Attributes = dict[str, str]

# Each filter with attributes that match it and attributes that do not.
FILTERS: list[tuple[str, Attributes, list[Attributes]]] = [
    ("attributes:domain", {"domain": "com"}, [{"Domain": "com"}, {"a": "domain"}]),
    ('attributes:"iana.org/name"', {"iana.org/name": ""}, [{"iana": "org/name"}]),
    (
        'attributes.domain = "com"',
        {"domain": "com"},
        [{"domain": "org"}, {"domain": "COM"}, {"a": "com"}],
    ),
    ('attributes."a-b" = "com"', {"a-b": "com"}, [{"a": "com"}]),
    ('attributes.domain != "com"', {"domain": "org"}, [{"domain": "com"}]),
    ('hasPrefix(attributes.domain, "co")', {"domain": "com"}, [{"domain": "xco"}, {"a": "co"}]),
    ('hasPrefix(attributes.domain, "co") ', {"domain": "co"}, [{"domain": "c"}]),
    ("NOT attributes:domain", {"a": "b"}, [{"domain": "com"}]),
    ("-attributes:domain", {"a": "b"}, [{"domain": "com"}]),
    (
        'NOT attributes.domain = "com"',
        {"domain": "org"},
        [{"domain": "com"}],
    ),
    (
        "attributes:a AND attributes:b",
        {"a": "1", "b": "2"},
        [{"a": "1"}, {"b": "2"}],
    ),
    ("attributes:a OR attributes:b", {"b": "2"}, [{"c": "3"}]),
    (
        "attributes:a AND NOT attributes:b",
        {"a": "1"},
        [{"a": "1", "b": "2"}, {"c": "3"}],
    ),
    (
        'attributes:a AND (attributes.b = "1" OR attributes.b = "2")',
        {"a": "", "b": "2"},
        [{"a": "", "b": "3"}, {"b": "1"}],
    ),
    (
        "NOT (attributes:a OR attributes:b)",
        {"c": ""},
        [{"a": ""}, {"b": ""}],
    ),
    (
        "(attributes:a AND attributes:b) OR attributes:c",
        {"c": ""},
        [{"a": ""}, {"b": ""}],
    ),
    ('attributes.a = "say \\"hi\\""', {"a": 'say "hi"'}, [{"a": "say hi"}]),
    ('attributes.a = "gr\u00fcn"', {"a": "gr\u00fcn"}, [{"a": "grun"}]),
    ('attributes.a = ""', {"a": ""}, [{"a": "x"}]),
]

MALFORMED = [
    "foo bar (",
    "attributes",
    "attributes.",
    "attributes:",
    "attributes.a",
    "attributes.a =",
    "attributes.a = com",
    'attributes.a == "com"',
    'attributes.a < "com"',
    'data = "x"',
    'attributes.a = "com',
    'attributes.a = "com" AND',
    "AND attributes:a",
    "(attributes:a",
    "attributes:a)",
    "attributes:a attributes:b",
    "hasPrefix(attributes.a)",
    'hasPrefix("a", attributes.a)',
    'hasSuffix(attributes.a, "x")',
    "attributes:a AND attributes:b OR attributes:c",  # the two are not mixed without parentheses
    "attributes:a and attributes:b",
    "NOT",
]


@pytest.mark.parametrize(("written", "match", "others"), FILTERS, ids=[row[0] for row in FILTERS])
async def test_only_what_matches_is_delivered(
    lanes: Lanes, written: str, match: Attributes, others: list[Attributes]
) -> None:
    lane = await lanes(filter=written)
    kept_back = [PubsubMessage(data=b"other", attributes=each) for each in others]
    await lane.publish(*kept_back, PubsubMessage(data=b"match", attributes=match))
    assert data(await lane.pull(1)) == [b"match"]


async def test_an_absent_attribute_is_unequal_to_nothing(lanes: Lanes) -> None:
    lane = await lanes(filter='attributes.a != "com"')
    await lane.publish(
        PubsubMessage(data=b"x", attributes={"b": ""}),
        PubsubMessage(data=b"y", attributes={"a": "org"}),
    )
    assert b"y" in await lane.drain(1)


@pytest.mark.parametrize("written", MALFORMED)
async def test_a_malformed_filter_is_refused(lanes: Lanes, written: str) -> None:
    with pytest.raises(InvalidArgument):
        await lanes(filter=written)


async def test_a_filter_has_at_most_256_bytes(lanes: Lanes) -> None:
    fits = 'attributes.a = "' + "x" * (256 - 17) + '"'
    await lanes(filter=fits)
    with pytest.raises(InvalidArgument):
        await lanes(filter=fits + " ")


async def test_a_filter_can_be_read(subscriber: SubscriberAsyncClient, lanes: Lanes) -> None:
    lane = await lanes(filter="attributes:a")
    found = await subscriber.get_subscription(subscription=lane.subscription)
    assert found.filter == "attributes:a"


async def test_a_filter_never_changes(subscriber: SubscriberAsyncClient, lanes: Lanes) -> None:
    lane = await lanes(filter="attributes:a")
    change = {"name": lane.subscription, "filter": "attributes:b"}
    with pytest.raises(InvalidArgument):
        await subscriber.update_subscription(subscription=change, update_mask={"paths": ["filter"]})


async def test_what_does_not_match_never_comes_back(lanes: Lanes) -> None:
    lane = await lanes(filter="attributes:a", retain_acked_messages=True)
    await lane.publish(b"other", PubsubMessage(data=b"match", attributes={"a": ""}))
    assert await lane.drain(1) == [b"match"]
    await lane.subscriber.seek({"subscription": lane.subscription, "time": {"seconds": 1}})
    assert await lane.drain(1) == [b"match"]
    assert await lane.is_empty()


async def test_a_filter_holds_for_pushes(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(filter="attributes:a", push_config={"push_endpoint": hook.url})
    await lane.publish(b"other")
    # Pushes overtake each other: with many to come, one that is not filtered is seen among them.
    await lane.publish(*(PubsubMessage(data=b"match", attributes={"a": ""}) for _ in range(20)))
    assert {pushed.data for pushed in await hook.received(20)} == {b"match"}


async def test_subscriptions_of_a_topic_filter_for_themselves(lanes: Lanes) -> None:
    first = await lanes(filter="attributes:a")
    second = await lanes(topic=first.topic, filter="attributes:b")
    await first.publish(*(PubsubMessage(data=key.encode(), attributes={key: ""}) for key in "ab"))
    assert data(await first.pull(1)) == [b"a"]
    assert data(await second.pull(1)) == [b"b"]
