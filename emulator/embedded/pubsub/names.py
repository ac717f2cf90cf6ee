"""What a topic, subscription or snapshot may be called. Must not know whether it exists.

https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
"""

from __future__ import annotations

import re

from emulator.embedded.refusal import Refusal, Status, invalid, not_found

_ID = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9\-._~+%]{2,254}")
_PROJECT = re.compile(r"projects/[^/\s]+")


def check_topic(name: str) -> None:
    """Refuses what is no full topic name."""
    _check(name, "topics")


def check_subscription(name: str) -> None:
    """Refuses what is no full subscription name."""
    _check(name, "subscriptions")


def check_snapshot(name: str) -> None:
    """Refuses what is no full snapshot name."""
    _check(name, "snapshots")


def check_project(name: str) -> None:
    """Refuses what is not of the form `projects/p`."""
    if not _PROJECT.fullmatch(name):
        raise invalid(f"Invalid [projects] name: (name={name})")


def project_of(name: str) -> str:
    """The project's id of a full resource name."""
    return name.split("/")[1]


def id_of(name: str) -> str:
    """The last part of a full resource name."""
    return name.rpartition("/")[2]


def missing(name: str) -> Refusal:
    """Nothing has this name."""
    return not_found(f"Resource not found (resource={id_of(name)}).")


def taken(name: str) -> Refusal:
    """Something has this name already."""
    message = f"Resource already exists in the project (resource={id_of(name)})."
    return Refusal(Status.ALREADY_EXISTS, message)


def _check(name: str, collection: str) -> None:
    project, _, rest = name.partition(f"/{collection}/")
    if not _PROJECT.fullmatch(project) or not _ID.fullmatch(rest):
        raise invalid(f"Invalid [{collection}] name: (name={name})")
