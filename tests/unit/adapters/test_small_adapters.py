"""Splitting of publish requests, sizes of documents, meanings of errors, the price file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core import exceptions as google
from google.pubsub_v1 import PublishRequest, PublishResponse

from shared.adapters.firestore_errors import commit_error, is_passing, read_error
from shared.adapters.pubsub_bus import PubSubBus
from shared.adapters.system_clock import SystemClock
from shared.document_size import MAX_DOCUMENT_BYTES, document_size, storable_size
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import Message
from shared.domain.records import Tokens
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    BusUnavailableError,
    EventTooLargeError,
    MessageInvalidError,
    RecordTooLargeError,
    SegueError,
    StaleError,
    StoreUnavailableError,
)

PRICES = Path(__file__).parents[3] / "prompts" / "prices.yaml"


class Broker:
    """Stands for the API client: keeps requests and answers with errors first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.requests: list[PublishRequest] = []

    async def publish(self, request: PublishRequest, **_: Any) -> PublishResponse:
        if self.errors:
            raise self.errors.pop(0)
        self.requests.append(request)
        return PublishResponse(
            message_ids=[message.data.decode()[:4] for message in request.messages]
        )


def bus(broker: Any, patience: float = 10.0) -> PubSubBus:
    return PubSubBus(broker, "p", "segue", patience=patience)


async def test_a_request_holds_a_thousand_messages_at_most() -> None:
    broker = Broker()
    sent = [Message(f"{n:04d}".encode()) for n in range(2001)]
    assert await bus(broker).publish("act", sent) == [f"{n:04d}" for n in range(2001)]
    assert [len(request.messages) for request in broker.requests] == [1000, 1000, 1]
    assert {request.topic for request in broker.requests} == {"projects/p/topics/segue-act"}


async def test_a_request_stays_below_its_size() -> None:
    broker = Broker()
    sent = [Message(f"{n:04d}".encode() + b"x" * 4_000_000) for n in range(4)]
    sent.append(Message(b"9999" + b"x" * 9_900_000))
    await bus(broker).publish("act", sent)
    assert [len(request.messages) for request in broker.requests] == [2, 2, 1]


async def test_half_a_character_cannot_be_sent() -> None:
    with pytest.raises(MessageInvalidError, match="segue-act"):
        await bus(Broker()).publish("act", [Message(b"x", {"name": "\ud800"})])


async def test_nothing_is_sent_where_one_message_is_too_large() -> None:
    broker = Broker()
    large = Message(b"x" * 9_999_000, {"attribute": "y" * 1000})
    with pytest.raises(EventTooLargeError, match="segue-act"):
        await bus(broker).publish("act", [Message(b"small"), large])
    assert not broker.requests


async def test_a_passing_failure_to_publish_is_tried_again() -> None:
    broker = Broker(google.ServiceUnavailable("down"), google.DeadlineExceeded("slow"))
    assert await bus(broker).publish("act", [Message(b"1234")]) == ["1234"]


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (google.InvalidArgument("attribute too long"), MessageInvalidError),
        (google.NotFound("Resource not found"), BusUnavailableError),
        (google.PermissionDenied("no"), BusUnavailableError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
async def test_a_lasting_failure_to_publish_is_told_at_once(
    error: Exception, meaning: type[SegueError]
) -> None:
    broker = Broker(error)
    with pytest.raises(meaning, match="segue-act"):
        await bus(broker).publish("act", [Message(b"1234")])
    assert not broker.requests


async def test_patience_with_the_broker_ends() -> None:
    with pytest.raises(BusUnavailableError, match="down"):
        await bus(Broker(*[google.ServiceUnavailable("down")] * 99), 0.2).publish(
            "act", [Message(b"1234")]
        )


def test_a_document_is_counted_as_google_counts_it() -> None:
    # The example of https://firebase.google.com/docs/firestore/storage-size
    data = {
        "type": "Personal",
        "done": False,
        "priority": 1,
        "description": "Learn Cloud Firestore",
    }
    assert document_size("users/jeff/tasks/my_task_id", data) == 147


def test_text_is_counted_in_bytes() -> None:
    assert document_size("a/b", {"t": "ü€\U0001f680"}) - document_size("a/b", {"t": ""}) == 9


def test_every_kind_of_value_is_counted() -> None:
    data = {
        "none": None,
        "float": 0.5,
        "time": datetime(2026, 1, 1, tzinfo=UTC),
        "bytes": b"1234",
        "list": [1, "a", {"b": True}],
    }
    assert storable_size("a/b", data) > 100


def test_a_document_at_the_limit_is_storable_and_one_above_is_not() -> None:
    room = MAX_DOCUMENT_BYTES - document_size("a/b", {"a": "", "b": ""})
    half, rest = "x" * (room // 2), "x" * (room - room // 2)
    assert storable_size("a/b", {"a": half, "b": rest}) == MAX_DOCUMENT_BYTES
    with pytest.raises(RecordTooLargeError, match="1,048,577"):
        storable_size("a/b", {"a": half, "b": rest + "x"})


TOO_LARGE = [
    google.InvalidArgument('The value of property "t" is longer than 1048487 bytes.'),
    google.InvalidArgument("Document … size (1,048,900 bytes) exceeds the maximum allowed size"),
    google.InvalidArgument("maximum entity size is 1048576 bytes"),
    google.InvalidArgument("Request payload size exceeds the limit: 11534336 bytes."),
    google.InvalidArgument("Transaction too big. Decrease transaction size."),
    google.ResourceExhausted("gRPC message exceeds maximum size 4194304: 6000000"),
    google.ResourceExhausted("Received message larger than max (6000000 vs. 4194304)"),
]


@pytest.mark.parametrize("error", TOO_LARGE, ids=str)
def test_every_wording_of_too_large_is_understood(error: Exception) -> None:
    assert isinstance(commit_error(error), RecordTooLargeError)
    assert not is_passing(error)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (google.AlreadyExists("there"), AlreadyExistsError),
        (google.FailedPrecondition("changed"), StaleError),
        (google.NotFound("No document to update: …"), StaleError),
        (
            google.NotFound("The database (default) does not exist for project p"),
            StoreUnavailableError,
        ),
        (google.InvalidArgument("Nested arrays are not allowed"), ActionFailedError),
        (google.ResourceExhausted("Quota exceeded."), StoreUnavailableError),
        (google.RetryError("too long", google.ServiceUnavailable("down")), StoreUnavailableError),
        (google.RetryError("too long", google.Aborted("contention")), StoreUnavailableError),
        (google.Unauthenticated("who?"), StoreUnavailableError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:40],
)
def test_an_error_of_a_commit_has_a_meaning(error: Exception, meaning: type[SegueError]) -> None:
    assert type(commit_error(error)) is meaning


def test_an_error_of_a_read_tells_the_cause() -> None:
    error = google.RetryError("too long", google.ServiceUnavailable("connection refused"))
    assert "connection refused" in str(read_error(error))


def test_the_clock_is_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_the_price_file_is_a_price_table() -> None:
    prices = PriceTable.model_validate(yaml.safe_load(PRICES.read_text(encoding="utf-8")))
    million = Tokens(input=1_000_000, output=1_000_000)
    assert prices.cost("gemini-2.5-flash", million) == 2.80
    assert prices.cost("gemini-2.5-pro", million) == 17.50
    assert prices.cost("gemini-2.5-pro", Tokens(input=1000, output=1000)) == 0.01125
    assert prices.cost("gemini-3.8-flash", Tokens(input=1000, cached=1000)) == 0.000075
    assert prices.cost("gemini-0.1", million) is None
