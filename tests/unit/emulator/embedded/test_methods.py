"""The table of methods is that of the installed clients: no method missing, no message mistaken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from emulator.embedded import methods
from emulator.embedded.messages import firestore_pb, pubsub_pb
from emulator.embedded.methods import Shape

TRANSPORTS = (
    *(PublisherGrpcTransport, SubscriberGrpcTransport, SchemaServiceGrpcTransport),
    FirestoreGrpcTransport,
)
Called = dict[str, tuple[Shape, Any, Any]]


class RecordingChannel:
    """Stands in for a gRPC channel and notes what a client would call."""

    def __init__(self) -> None:
        self.called: Called = {}
        self.unary_unary = self._recorder(Shape.UNARY)
        self.unary_stream = self._recorder(Shape.SERVER)
        self.stream_stream = self._recorder(Shape.BIDI)

    def _recorder(self, shape: Shape) -> Callable[..., Callable[..., None]]:
        def record(
            path: str, request_serializer: Any, response_deserializer: Any = None
        ) -> Callable[..., None]:
            self.called[path] = (shape, request_serializer, response_deserializer)
            return lambda *_, **__: None

        return record


@pytest.fixture(scope="module")
def clients() -> Called:
    """What the clients' transports call, by path."""
    called: Called = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc, "intercept_channel", lambda channel, *_: channel)
        for kind in TRANSPORTS:
            channel = RecordingChannel()
            transport = kind(
                channel=lambda *_, made=channel, **__: made,  # type: ignore[misc]
                credentials=AnonymousCredentials(),
            )
            for name in (name for name in dir(kind) if not name.startswith("_")):
                if isinstance(getattr(kind, name), property):
                    getattr(transport, name)
            called |= channel.called
    return called


def served() -> dict[str, methods.Method]:
    return methods.PUBSUB | methods.FIRESTORE


def test_every_method_of_the_clients_is_in_the_table_or_refused_by_name(clients: Called) -> None:
    others = clients.keys() - served().keys()
    assert served().keys() <= clients.keys()
    assert {path.split("/")[1] for path in others} <= methods.REFUSED.keys()


def test_shapes_and_messages_are_those_of_the_clients(clients: Called) -> None:
    wrong = {}
    for path, method in served().items():
        shape, write, read = clients[path]
        request, response = method.request_class(), method.response_class()
        sent = write(request()) if method.request == "Empty" else write(_wrapped(path, method))
        got = read(response().SerializeToString())
        name = type(got).pb(got).DESCRIPTOR if hasattr(type(got), "pb") else got.DESCRIPTOR
        if (shape, sent, name) != (method.shape, b"", response.DESCRIPTOR):
            wrong[path] = (shape, name)
    assert wrong == {}


def _wrapped(path: str, method: methods.Method) -> Any:
    """The client's own request; a serializer takes no other class."""
    package = "pubsub_v1" if path in methods.PUBSUB else "cloud.firestore_v1"
    types = __import__(f"google.{package}.types", fromlist=["types"])
    request = getattr(types, method.request)
    assert request.pb() is method.request_class()
    return request()


def test_a_refusal_names_the_method_and_the_reason() -> None:
    told = methods.refusal_of("/google.iam.v1.IAMPolicy/SetIamPolicy")
    assert told == (
        "google.iam.v1.IAMPolicy.SetIamPolicy is not implemented:"
        " the embedded engine has no permissions"
    )
    assert "a.B.C is not implemented" in methods.refusal_of("/a.B/C")
    assert "is not implemented" in methods.refusal_of("")


def test_messages_are_raw_classes_and_unknown_names_are_told() -> None:
    assert pubsub_pb.Topic(name="t").SerializeToString() == b"\n\x01t"
    assert firestore_pb.StructuredQuery.FieldFilter().DESCRIPTOR.full_name == (
        "google.firestore.v1.StructuredQuery.FieldFilter"
    )
    with pytest.raises(AttributeError):
        _ = pubsub_pb.Nothing
