"""Topics and subscriptions: nothing is dropped, and every number is one Pub/Sub takes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from emulator.embedded.pubsub.filters import parse
from emulator.topology import (
    BURY,
    Subscription,
    subscription_name,
    topology,
    without_priorities,
)
from shared.domain.starts.priorities import PRIORITIES, PRIORITY
from shared.runtime.stage_table import read_stages

TABLE = read_stages()
PLAN = topology(TABLE, "http://front")
PUSHED = [s for s in PLAN.subscriptions if s.push_to is not None]
# https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


def by_name(subscription: Subscription) -> str:
    return subscription.name


def test_what_cannot_be_handled_always_goes_somewhere() -> None:
    parking = [s for s in PLAN.subscriptions if s.dead_letter_topic is None]
    assert [s.name for s in parking] == [f"{TABLE.prefix}-{BURY}-dead"]
    assert parking[0].push_to is None


def test_every_dead_letter_topic_is_listened_to() -> None:
    heard = {subscription.topic for subscription in PLAN.subscriptions}
    dead = {s.dead_letter_topic for s in PLAN.subscriptions if s.dead_letter_topic}
    assert dead <= heard


def takers(topic: str, attributes: dict[str, str]) -> list[str]:
    """The subscriptions that get such a message."""
    listening = [s for s in PLAN.subscriptions if s.topic == topic]
    predicates = {s.name: parse(s.filter) for s in listening}
    return [name for name, matches in predicates.items() if matches is None or matches(attributes)]


@pytest.mark.parametrize("priority", [*PRIORITIES, "HIGH", "", None])
def test_every_message_is_got_exactly_once_whatever_its_priority(priority: str | None) -> None:
    attributes = {"segue-id": "x"} | ({} if priority is None else {PRIORITY: priority})
    for topic in PLAN.topics:
        assert len(takers(topic, attributes)) == 1, topic


def test_a_message_waits_with_those_of_its_priority_only() -> None:
    stages = [stage for stage in TABLE.stages.values() if stage.priorities]
    assert [stage.name for stage in stages] == ["compose", "generate", "act"]
    for stage in stages:
        got = [takers(f"{TABLE.prefix}-{stage.topic}", {PRIORITY: one}) for one in PRIORITIES]
        normal, none = got[1], takers(f"{TABLE.prefix}-{stage.topic}", {})
        assert len({name for names in got for name in names}) == len(PRIORITIES)
        assert normal == none


def test_subscriptions_of_one_topic_differ_in_their_filter_alone() -> None:
    for topic in PLAN.topics:
        alike = {replace(s, name="", filter="") for s in PLAN.subscriptions if s.topic == topic}
        assert len(alike) == 1, topic


def test_an_engine_without_filters_has_one_subscription_a_topic() -> None:
    plain = topology(without_priorities(TABLE), "http://front")
    topics = [subscription.topic for subscription in plain.subscriptions]
    assert sorted(topics) == list(PLAN.topics) == list(plain.topics)


def test_dead_letters_of_all_stages_are_pushed_to_bury() -> None:
    pushed = {s.topic: s.push_to for s in PUSHED if s.topic.endswith("-dead")}
    stages = [stage for stage in TABLE.stages.values() if stage.trigger == "topic"]
    assert pushed == {
        f"{TABLE.prefix}-{stage.dead_letter_topic}": f"http://front/{BURY}" for stage in stages
    }


def test_every_stage_with_a_topic_is_pushed_to() -> None:
    pushed = {s.topic: s.push_to for s in PUSHED if not s.topic.endswith("-dead")}
    stages = [stage for stage in TABLE.stages.values() if stage.trigger == "topic"]
    assert pushed == {
        f"{TABLE.prefix}-{stage.topic}": f"http://front/{stage.name}" for stage in stages
    }


@pytest.mark.parametrize("subscription", PLAN.subscriptions, ids=by_name)
def test_numbers_are_within_the_limits_of_pubsub(subscription: Subscription) -> None:
    assert 10 <= subscription.ack_deadline <= 600
    assert 0 <= subscription.min_backoff <= subscription.max_backoff <= 600
    if subscription.dead_letter_topic is not None:
        assert subscription.max_attempts is not None
        assert 5 <= subscription.max_attempts <= 100


@pytest.mark.parametrize("subscription", PUSHED, ids=by_name)
def test_an_ack_deadline_outlasts_the_stage_that_is_pushed_to(subscription: Subscription) -> None:
    assert subscription.push_to is not None
    stage = TABLE.stages[subscription.push_to.rsplit("/", 1)[-1]]
    assert stage.budget < stage.timeout <= subscription.ack_deadline


@pytest.mark.parametrize("name", [*PLAN.topics, *(s.name for s in PLAN.subscriptions)])
def test_names_are_ones_that_pubsub_takes(name: str) -> None:
    assert _NAME.fullmatch(name)
    assert name.startswith(f"{TABLE.prefix}-")


def test_names_are_not_shared() -> None:
    names = [subscription.name for subscription in PLAN.subscriptions]
    assert len(set(names)) == len(names)


def test_a_change_of_what_cannot_be_changed_is_a_subscription_of_another_name() -> None:
    plain = TABLE.stages["route"]
    filtered = plain.model_copy(update={"filter": "attributes:tenant"})
    ordered = plain.model_copy(update={"ordering": True})
    both = filtered.model_copy(update={"ordering": True})
    names = [subscription_name(stage) for stage in (plain, filtered, ordered, both)]
    assert len(set(names)) == len(names)
    assert names[0] == "route"
    assert all(re.fullmatch(r"route-[0-9a-f]{8}", name) for name in names[1:])
    urgent = plain.model_copy(update={"priorities": True})
    each = [subscription_name(urgent, priority) for priority in PRIORITIES]
    assert len({*each, *names}) == len(each) + len(names)
    assert re.fullmatch(r"route-high-[0-9a-f]{8}", each[0])


def test_only_what_a_stage_reads_is_filtered_and_ordered_not_its_dead_letters() -> None:
    route = TABLE.stages["route"].model_copy(update={"filter": "attributes:x", "ordering": True})
    stages = {**TABLE.stages, "route": route}
    plan = topology(replace(TABLE, stages=stages), "http://front")
    prioritised = {f"{TABLE.prefix}-{stage.topic}" for stage in stages.values() if stage.priorities}
    chosen = {s.topic for s in plan.subscriptions if s.filter or s.ordering}
    assert chosen == {f"{TABLE.prefix}-{route.topic}", *prioritised}
