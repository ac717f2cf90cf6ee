"""Every gRPC method of the two services: its path, its messages, and which side streams.

Written out, because the clients keep theirs private. Must not know what a method does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from emulator.embedded.messages import Empty, firestore_pb, pubsub_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.embedded.messages import Namespace


class Shape(Enum):
    """Which side of a call streams."""

    UNARY = "unary"
    SERVER = "server"  # one request, a stream of responses
    BIDI = "bidi"


@dataclass(frozen=True, slots=True)
class Method:
    """`path` is the full name with a leading slash; `request` and `response` name messages."""

    path: str
    request: str
    response: str
    shape: Shape
    _messages: Namespace

    def request_class(self) -> Any:
        """The raw protobuf class."""
        return self._class(self.request)

    def response_class(self) -> Any:
        """The raw protobuf class."""
        return self._class(self.response)

    def _class(self, name: str) -> Any:
        return Empty if name == "Empty" else getattr(self._messages, name)


_PUBLISHER = """
CreateTopic            Topic                          Topic
UpdateTopic            UpdateTopicRequest             Topic
Publish                PublishRequest                 PublishResponse
GetTopic               GetTopicRequest                Topic
ListTopics             ListTopicsRequest              ListTopicsResponse
ListTopicSubscriptions ListTopicSubscriptionsRequest  ListTopicSubscriptionsResponse
ListTopicSnapshots     ListTopicSnapshotsRequest      ListTopicSnapshotsResponse
DeleteTopic            DeleteTopicRequest             Empty
DetachSubscription     DetachSubscriptionRequest      DetachSubscriptionResponse
"""
_SUBSCRIBER = """
CreateSubscription     Subscription                   Subscription
GetSubscription        GetSubscriptionRequest         Subscription
UpdateSubscription     UpdateSubscriptionRequest      Subscription
ListSubscriptions      ListSubscriptionsRequest       ListSubscriptionsResponse
DeleteSubscription     DeleteSubscriptionRequest      Empty
ModifyAckDeadline      ModifyAckDeadlineRequest       Empty
Acknowledge            AcknowledgeRequest             Empty
Pull                   PullRequest                    PullResponse
StreamingPull          StreamingPullRequest           StreamingPullResponse  bidi
ModifyPushConfig       ModifyPushConfigRequest        Empty
GetSnapshot            GetSnapshotRequest             Snapshot
ListSnapshots          ListSnapshotsRequest           ListSnapshotsResponse
CreateSnapshot         CreateSnapshotRequest          Snapshot
UpdateSnapshot         UpdateSnapshotRequest          Snapshot
DeleteSnapshot         DeleteSnapshotRequest          Empty
Seek                   SeekRequest                    SeekResponse
"""
_SCHEMA_SERVICE = """
CreateSchema           CreateSchemaRequest            Schema
GetSchema              GetSchemaRequest               Schema
ListSchemas            ListSchemasRequest             ListSchemasResponse
ListSchemaRevisions    ListSchemaRevisionsRequest     ListSchemaRevisionsResponse
CommitSchema           CommitSchemaRequest            Schema
RollbackSchema         RollbackSchemaRequest          Schema
DeleteSchemaRevision   DeleteSchemaRevisionRequest    Schema
DeleteSchema           DeleteSchemaRequest            Empty
ValidateSchema         ValidateSchemaRequest          ValidateSchemaResponse
ValidateMessage        ValidateMessageRequest         ValidateMessageResponse
"""
_FIRESTORE = """
GetDocument            GetDocumentRequest             Document
ListDocuments          ListDocumentsRequest           ListDocumentsResponse
UpdateDocument         UpdateDocumentRequest          Document
DeleteDocument         DeleteDocumentRequest          Empty
BatchGetDocuments      BatchGetDocumentsRequest       BatchGetDocumentsResponse    server
BeginTransaction       BeginTransactionRequest        BeginTransactionResponse
Commit                 CommitRequest                  CommitResponse
Rollback               RollbackRequest                Empty
RunQuery               RunQueryRequest                RunQueryResponse             server
ExecutePipeline        ExecutePipelineRequest         ExecutePipelineResponse      server
RunAggregationQuery    RunAggregationQueryRequest     RunAggregationQueryResponse  server
PartitionQuery         PartitionQueryRequest          PartitionQueryResponse
Write                  WriteRequest                   WriteResponse                bidi
Listen                 ListenRequest                  ListenResponse               bidi
ListCollectionIds      ListCollectionIdsRequest       ListCollectionIdsResponse
BatchWrite             BatchWriteRequest              BatchWriteResponse
CreateDocument         CreateDocumentRequest          Document
"""


def _rows(service: str, messages: Namespace, rows: str) -> Iterator[tuple[str, Method]]:
    for row in rows.strip().splitlines():
        name, request, response, *shape = row.split()
        path = f"/{service}/{name}"
        yield path, Method(path, request, response, Shape(*(shape or ["unary"])), messages)


PUBSUB: dict[str, Method] = {
    **dict(_rows("google.pubsub.v1.Publisher", pubsub_pb, _PUBLISHER)),
    **dict(_rows("google.pubsub.v1.Subscriber", pubsub_pb, _SUBSCRIBER)),
    **dict(_rows("google.pubsub.v1.SchemaService", pubsub_pb, _SCHEMA_SERVICE)),
}
FIRESTORE: dict[str, Method] = dict(
    _rows("google.firestore.v1.Firestore", firestore_pb, _FIRESTORE)
)

# Services that the same clients can call, and what a refusal says of them.
REFUSED = {
    "google.iam.v1.IAMPolicy": "the embedded engine has no permissions",
    "google.firestore.admin.v1.FirestoreAdmin": "the embedded engine takes its indexes from a file",
    "google.longrunning.Operations": "the embedded engine has no long-running operations",
}


def refusal_of(path: str) -> str:
    """What a client is told that calls a method which is not served."""
    service, _, name = path.lstrip("/").rpartition("/")
    reason = REFUSED.get(service, "the embedded engine does not have it")
    return f"{service}.{name} is not implemented: {reason}"
