"""The Bus on Pub/Sub: each publish is awaited until the broker has the message, or fails in time.

Decides how messages are split over requests. Uses the plain API client: a batching publisher
sends from a thread that gets no CPU once a function has answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.api_core import exceptions as google
from google.api_core.retry import AsyncRetry, if_exception_type
from google.pubsub_v1 import PublisherAsyncClient, PublishRequest, PubsubMessage

from shared.domain.envelope import Message
from shared.errors import BusUnavailableError, EventTooLargeError, MessageInvalidError

PATIENCE = 10.0  # seconds for all tries of a request together
MAX_MESSAGE_BYTES = 10_000_000
_ATTEMPT = 5.0
_MAX_REQUEST_BYTES = 9_000_000
_MAX_REQUEST_MESSAGES = 1000
_PASSING = if_exception_type(
    google.Aborted,
    google.Cancelled,
    google.DeadlineExceeded,
    google.InternalServerError,
    google.ResourceExhausted,
    google.ServiceUnavailable,
    google.Unknown,
)


def build_client() -> PublisherAsyncClient:
    """A client for the running event loop; PUBSUB_EMULATOR_HOST is honoured."""
    return PublisherAsyncClient()


class PubSubBus:
    """Implements `Bus` over the topics `<prefix>-<topic>` of a project."""

    def __init__(
        self,
        client: PublisherAsyncClient,
        project: str,
        prefix: str,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._client = client
        self._topics = f"projects/{project}/topics/{prefix}-"
        self._patience = patience

    async def close(self) -> None:
        """Ends its connections. Nothing may be under way."""
        await self._client.transport.close()  # type: ignore[no-untyped-call]

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Raises EventTooLargeError before anything is sent where one message is too large."""
        name = self._topics + topic
        requests = list(_requests(name, messages))
        return [message_id for request in requests for message_id in await self._send(request)]

    async def _send(self, request: PublishRequest) -> list[str]:
        retry = AsyncRetry(predicate=_PASSING, initial=0.1, maximum=2.0, timeout=self._patience)

        async def once() -> list[str]:
            answer = await self._client.publish(request=request, retry=None, timeout=_ATTEMPT)
            return list(answer.message_ids)

        try:
            message_ids: list[str] = await retry(once)()
        except google.InvalidArgument as error:
            message = f"Pub/Sub refuses a message for {request.topic}: {error.message}"
            raise MessageInvalidError(message) from error
        except google.GoogleAPIError as error:
            raise BusUnavailableError(f"{request.topic}: {_text(error)}") from error
        return message_ids


def _requests(topic: str, messages: Sequence[Message]) -> Iterator[PublishRequest]:
    batch: list[PubsubMessage] = []
    total = 0
    for message in messages:
        wire, size = _wire(topic, message)
        if size > MAX_MESSAGE_BYTES:
            limit = f"{MAX_MESSAGE_BYTES:,}"
            raise EventTooLargeError(f"a message for {topic} has {size:,} bytes, limit {limit}")
        if batch and (total + size > _MAX_REQUEST_BYTES or len(batch) == _MAX_REQUEST_MESSAGES):
            yield PublishRequest(topic=topic, messages=batch)
            batch, total = [], 0
        batch.append(wire)
        total += size
    if batch:
        yield PublishRequest(topic=topic, messages=batch)


def _wire(topic: str, message: Message) -> tuple[PubsubMessage, int]:
    try:
        wire = PubsubMessage(data=message.data, attributes=dict(message.attributes))
    except (TypeError, ValueError) as error:
        raise MessageInvalidError(f"a message for {topic} cannot be written: {error}") from error
    return wire, int(PubsubMessage.pb(wire).ByteSize())


def _text(error: Exception) -> str:
    cause = error.cause if isinstance(error, google.RetryError) and error.cause else error
    return f"{type(cause).__name__}: {getattr(cause, 'message', None) or cause}"[:500]
