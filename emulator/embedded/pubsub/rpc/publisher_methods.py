"""The unary methods of google.pubsub.v1.Publisher over a broker.

Decides which call of the broker answers which method. Must not know push delivery or streams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulator.embedded.messages import Empty, pubsub_pb
from emulator.embedded.pubsub.limits import too_large
from emulator.embedded.pubsub.publish_limits import MAX_BYTES
from emulator.embedded.pubsub.rpc import wire_admin
from emulator.embedded.pubsub.rpc.paging import page
from emulator.embedded.pubsub.rpc.wire_messages import messages

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker


class PublisherMethods:
    """One method each, named as in the service."""

    def __init__(self, broker: Broker, changed: Callable[[str], None]) -> None:
        self._broker = broker
        self._changed = changed

    def handlers(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "CreateTopic": self.create_topic,
            "UpdateTopic": self.update_topic,
            "Publish": self.publish,
            "GetTopic": self.get_topic,
            "ListTopics": self.list_topics,
            "ListTopicSubscriptions": self.list_topic_subscriptions,
            "ListTopicSnapshots": self.list_topic_snapshots,
            "DeleteTopic": self.delete_topic,
            "DetachSubscription": self.detach_subscription,
        }

    def create_topic(self, request: Any) -> Any:
        return wire_admin.topic_pb(self._broker.create_topic(wire_admin.topic(request)))

    def update_topic(self, request: Any) -> Any:
        wanted, paths = wire_admin.topic(request.topic), list(request.update_mask.paths)
        topic = self._broker.update_topic(wanted, paths)
        return wire_admin.topic_pb(topic)

    def publish(self, request: Any) -> Any:
        size = request.ByteSize()
        if size > MAX_BYTES:
            raise too_large("request_size", size, MAX_BYTES)
        ids = self._broker.publish(request.topic, messages(request.messages))
        return pubsub_pb.PublishResponse(message_ids=ids)

    def get_topic(self, request: Any) -> Any:
        return wire_admin.topic_pb(self._broker.get_topic(request.topic))

    def list_topics(self, request: Any) -> Any:
        topics = self._broker.list_topics(request.project)
        given, token = page(topics, request, lambda topic: topic.name)
        return pubsub_pb.ListTopicsResponse(
            topics=[wire_admin.topic_pb(topic) for topic in given], next_page_token=token
        )

    def list_topic_subscriptions(self, request: Any) -> Any:
        given, token = _names(self._broker.topic_subscriptions(request.topic), request)
        return pubsub_pb.ListTopicSubscriptionsResponse(subscriptions=given, next_page_token=token)

    def list_topic_snapshots(self, request: Any) -> Any:
        given, token = _names(self._broker.topic_snapshots(request.topic), request)
        return pubsub_pb.ListTopicSnapshotsResponse(snapshots=given, next_page_token=token)

    def delete_topic(self, request: Any) -> Any:
        self._broker.delete_topic(request.topic)
        return Empty()

    def detach_subscription(self, request: Any) -> Any:
        self._broker.detach_subscription(request.subscription)
        self._changed(request.subscription)
        return pubsub_pb.DetachSubscriptionResponse()


def _names(names: Sequence[str], request: Any) -> tuple[Sequence[str], str]:
    return page(sorted(names), request, str)
