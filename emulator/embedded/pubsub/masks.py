"""Which fields an update may change, and the change. Must not know what makes a value valid.

https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1 (the Update*Request messages).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from emulator.embedded.pubsub.model import Snapshot, Subscription, Topic
from emulator.embedded.refusal import Refusal, Status, invalid

Resource = TypeVar("Resource", Topic, Subscription, Snapshot)


@dataclass(frozen=True, slots=True)
class Fields:
    """A resource's fields by the name they have in a mask: attributes of the model, those that
    cannot change, and those that are not served here.
    """

    kind: str
    mutable: Mapping[str, str]
    immutable: frozenset[str]
    unserved: frozenset[str] = frozenset()


TOPIC = Fields(
    "Topic",
    {"labels": "labels", "message_retention_duration": "retention"},
    frozenset({"name", "state", "satisfies_pzs", "tags"}),
    frozenset(
        {
            *("message_storage_policy", "kms_key_name", "schema_settings"),
            *("ingestion_data_source_settings", "message_transforms"),
        }
    ),
)
SUBSCRIPTION = Fields(
    "Subscription",
    {
        "ack_deadline_seconds": "ack_deadline",
        "push_config": "push",
        "retain_acked_messages": "retain_acked",
        "message_retention_duration": "retention",
        "labels": "labels",
        "expiration_policy": "expires_after",
        "dead_letter_policy": "dead_letter",
        "retry_policy": "retry",
        "enable_exactly_once_delivery": "exactly_once",
    },
    frozenset(
        {
            *("name", "topic", "filter", "enable_message_ordering", "detached", "state"),
            *("topic_message_retention_duration", "analytics_hub_subscription_info", "tags"),
        }
    ),
    frozenset({"bigquery_config", "cloud_storage_config", "bigtable_config", "message_transforms"}),
)
SNAPSHOT = Fields(
    "Snapshot",
    {"labels": "labels", "expire_time": "expires_at"},
    frozenset({"name", "topic"}),
)


def masked(fields: Fields, current: Resource, wanted: Resource, paths: Sequence[str]) -> Resource:
    """`current` with the fields at `paths` as in `wanted`.

    Refuses an empty mask, a field that is unknown or cannot change, and one not served.
    """
    request = f"Update{fields.kind}Request"
    if not paths:
        raise invalid(
            f"The update_mask in the {request} must be set, and must contain a non-empty paths "
            "list."
        )
    for path in paths:
        if path not in fields.mutable:
            raise _refusal(fields, request, path)
    changes = {name: getattr(wanted, name) for name in map(fields.mutable.__getitem__, paths)}
    return replace(current, **changes)


def _refusal(fields: Fields, request: str, path: str) -> Refusal:
    if path in fields.unserved:
        return Refusal(Status.UNIMPLEMENTED, f"{fields.kind}.{path} is not supported here")
    start = f"Invalid update_mask provided in the {request}:"
    if path in fields.immutable:
        return invalid(f"{start} the {path} field in the {fields.kind} is not mutable.")
    return invalid(
        f"{start} {path} is not a known {fields.kind} field. Note that field paths must be of the "
        "form 'push_config' rather than 'pushConfig'."
    )
