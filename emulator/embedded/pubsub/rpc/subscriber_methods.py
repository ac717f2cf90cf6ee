"""The unary methods of google.pubsub.v1.Subscriber over a broker, save Pull.

Decides which call of the broker answers which method. Must not know how messages are delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from emulator.embedded.messages import Empty, pubsub_pb
from emulator.embedded.pubsub.model import DELETED_TOPIC
from emulator.embedded.pubsub.rpc import wire_admin
from emulator.embedded.pubsub.rpc.paging import page
from emulator.embedded.pubsub.rpc.wire import moment
from emulator.embedded.refusal import Refusal, invalid

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker
    from emulator.embedded.pubsub.model import Subscription
    from emulator.embedded.pubsub.rpc.settling import Settling

_MOST_BYTES = 512 * 1024  # of acknowledgements: https://cloud.google.com/pubsub/quotas


class SubscriberMethods:
    """One method each, named as in the service. `changed` is told of every subscription that is
    made, reconfigured or gone.
    """

    def __init__(self, broker: Broker, settling: Settling, changed: Callable[[str], None]) -> None:
        self._broker = broker
        self._settling = settling
        self._changed = changed

    def handlers(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "CreateSubscription": self.create_subscription,
            "GetSubscription": self.get_subscription,
            "UpdateSubscription": self.update_subscription,
            "ListSubscriptions": self.list_subscriptions,
            "DeleteSubscription": self.delete_subscription,
            "ModifyPushConfig": self.modify_push_config,
            "GetSnapshot": self.get_snapshot,
            "ListSnapshots": self.list_snapshots,
            "CreateSnapshot": self.create_snapshot,
            "UpdateSnapshot": self.update_snapshot,
            "DeleteSnapshot": self.delete_snapshot,
            "Seek": self.seek,
        }

    def settling_handlers(self) -> Mapping[str, Callable[[Any, Any], Any]]:
        """Those that answer in more than the response: they also take the call's context."""
        return {
            "Acknowledge": self.acknowledge,
            "ModifyAckDeadline": self.modify_ack_deadline,
        }

    def create_subscription(self, request: Any) -> Any:
        created = self._broker.create_subscription(wire_admin.subscription(request))
        self._changed(created.name)
        return self._pb(created)

    def get_subscription(self, request: Any) -> Any:
        return self._pb(self._broker.get_subscription(request.subscription))

    def update_subscription(self, request: Any) -> Any:
        wanted = wire_admin.subscription(request.subscription)
        updated = self._broker.update_subscription(wanted, list(request.update_mask.paths))
        self._changed(updated.name)
        return self._pb(updated)

    def list_subscriptions(self, request: Any) -> Any:
        subscriptions = self._broker.list_subscriptions(request.project)
        given, token = page(subscriptions, request, lambda subscription: subscription.name)
        return pubsub_pb.ListSubscriptionsResponse(
            subscriptions=[self._pb(subscription) for subscription in given],
            next_page_token=token,
        )

    def delete_subscription(self, request: Any) -> Any:
        self._broker.delete_subscription(request.subscription)
        self._changed(request.subscription)
        return Empty()

    def modify_push_config(self, request: Any) -> Any:
        self._broker.modify_push(request.subscription, wire_admin.push(request.push_config))
        self._changed(request.subscription)
        return Empty()

    def acknowledge(self, request: Any, context: Any) -> Any:
        ack_ids = _ack_ids(request)
        result = self._settling.acknowledge(request.subscription, ack_ids)
        self._settling.refuse_stale(request.subscription, result, context)
        return Empty()

    def modify_ack_deadline(self, request: Any, context: Any) -> Any:
        ack_ids = _ack_ids(request)
        seconds = request.ack_deadline_seconds
        result = self._settling.modify(request.subscription, ack_ids, seconds)
        self._settling.refuse_stale(request.subscription, result, context)
        return Empty()

    def get_snapshot(self, request: Any) -> Any:
        return wire_admin.snapshot_pb(self._broker.get_snapshot(request.snapshot))

    def list_snapshots(self, request: Any) -> Any:
        snapshots = self._broker.list_snapshots(request.project)
        given, token = page(snapshots, request, lambda snapshot: snapshot.name)
        return pubsub_pb.ListSnapshotsResponse(
            snapshots=[wire_admin.snapshot_pb(snapshot) for snapshot in given],
            next_page_token=token,
        )

    def create_snapshot(self, request: Any) -> Any:
        labels = dict(request.labels)
        made = self._broker.create_snapshot(request.name, request.subscription, labels)
        return wire_admin.snapshot_pb(made)

    def update_snapshot(self, request: Any) -> Any:
        wanted = wire_admin.snapshot(request.snapshot)
        updated = self._broker.update_snapshot(wanted, list(request.update_mask.paths))
        return wire_admin.snapshot_pb(updated)

    def delete_snapshot(self, request: Any) -> Any:
        self._broker.delete_snapshot(request.snapshot)
        return Empty()

    def seek(self, request: Any) -> Any:
        match request.WhichOneof("target"):
            case "time":
                at = moment(request.time, "SeekRequest")
                self._broker.seek_to_time(request.subscription, at)
            case "snapshot":
                self._broker.seek_to_snapshot(request.subscription, request.snapshot)
            case _:
                raise invalid(
                    "No target was specified in the SeekRequest. Must specify either a time or "
                    "a snapshot"
                )
        self._changed(request.subscription)
        return pubsub_pb.SeekResponse()

    def _pb(self, subscription: Subscription) -> Any:
        return wire_admin.subscription_pb(subscription, self._topic_retention(subscription.topic))

    def _topic_retention(self, topic: str) -> int | None:
        if topic == DELETED_TOPIC:
            return None
        try:
            return self._broker.get_topic(topic).retention
        except Refusal:
            return None


def _ack_ids(request: Any) -> list[str]:
    if not request.ack_ids:
        raise invalid("No ack ids specified.")
    if request.ByteSize() > _MOST_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {_MOST_BYTES} bytes.")
    return list(request.ack_ids)
