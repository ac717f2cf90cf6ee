"""The protobuf messages of the two services, by name, as the raw classes (`pubsub_pb.Topic`).

Google's client packages define them. `light_packages` gets them without the clients themselves,
which are three quarters of the import time. Must not know what a message is for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

__all__ = [
    "NULL_VALUE",
    "DoubleValue",
    "Duration",
    "Empty",
    "FieldMask",
    "Int32Value",
    "Int64Value",
    "Namespace",
    "RpcStatus",
    "Struct",
    "Timestamp",
    "firestore_pb",
    "light_packages",
    "pubsub_pb",
]


def _class(module: str, name: str) -> Any:
    # Made when the module is imported, so a type checker does not see them.
    return getattr(importlib.import_module(module), name)


Duration = _class("google.protobuf.duration_pb2", "Duration")
Empty = _class("google.protobuf.empty_pb2", "Empty")
FieldMask = _class("google.protobuf.field_mask_pb2", "FieldMask")
Struct = _class("google.protobuf.struct_pb2", "Struct")
NULL_VALUE = _class("google.protobuf.struct_pb2", "NULL_VALUE")
Timestamp = _class("google.protobuf.timestamp_pb2", "Timestamp")
DoubleValue = _class("google.protobuf.wrappers_pb2", "DoubleValue")
Int32Value = _class("google.protobuf.wrappers_pb2", "Int32Value")
Int64Value = _class("google.protobuf.wrappers_pb2", "Int64Value")
RpcStatus = _class("google.rpc.status_pb2", "Status")

_PACKAGES = ("google.pubsub_v1", "google.cloud.firestore_v1")


class Namespace:
    """Attribute access to the raw message classes of a package; its top-level enums as they are.

    What is nested is found on its message: `firestore_pb.StructuredQuery.FieldFilter`. The package
    is imported on first use. Raises AttributeError for a name that it does not define.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself asks of any object
            raise AttributeError(name)
        found = getattr(importlib.import_module(f"{self._package}.types"), name)
        raw = found.pb() if hasattr(found, "pb") else found
        setattr(self, name, raw)
        return raw


pubsub_pb = Namespace("google.pubsub_v1")
firestore_pb = Namespace("google.cloud.firestore_v1")


def light_packages() -> None:
    """Let the messages load without the clients, for this process and for good.

    To be called before anything has imported a client, and only where none is ever used: the
    clients' own packages are empty from then on.
    """
    for name in _PACKAGES:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        assert spec is not None
        light = ModuleType(name)
        light.__path__ = list(spec.submodule_search_locations or ())
        light.__spec__ = spec
        sys.modules[name] = light
