"""The actions a flow can ask for and the arguments each takes; decides nothing about how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError, field_validator

from shared.domain.events import TYPE_PATTERN
from shared.domain.model import Declared, Json
from shared.errors import ActionInvalidError

OWN_COLLECTIONS = frozenset(
    {"events", "runs", "idempotency", "flows", "prompts", "timers", "patterns", "waits"}
    | {"dead_letters", "blobs", "collections"}
)
_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]  # RFC 9110 token
_Header = Annotated[str, Field(max_length=8192, pattern=r"^[^\r\n\x00]*$")]


class Arguments(Declared):
    """What an action takes. A number where text belongs is written out: `{{ items | length }}`."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


class SlackPost(Arguments):
    """Post a message to a Slack channel."""

    action: Literal["slack.post"] = "slack.post"
    channel: str = Field(min_length=1, description="Channel id or #name.")
    text: str = Field(min_length=1, max_length=40_000)
    thread_ts: str | None = Field(None, description="Answer in this thread.")


class EmailSend(Arguments):
    """Send an e-mail. Line breaks in a header are refused, so data cannot add headers."""

    action: Literal["email.send"] = "email.send"
    to: str | list[str] = Field(description="One address or several.")
    subject: _Header
    text: str
    reply_to: _Header | None = None

    @field_validator("to")
    @classmethod
    def _addresses(cls, value: str | list[str]) -> list[str]:
        addresses = [value] if isinstance(value, str) else value
        if not addresses:
            raise ValueError("there is no address to send to")
        for address in addresses:
            if address.count("@") != 1 or any(c.isspace() or c in ",;<>" for c in address):
                raise ValueError(f"{address!r} is not an e-mail address")
        return addresses


class HttpRequest(Arguments):
    """Send an HTTP request, with an `Idempotency-Key` that is equal on every attempt."""

    action: Literal["http.request"] = "http.request"
    url: HttpUrl
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[_HeaderName, _Header] = Field(default_factory=dict)
    json_body: Json = Field(None, alias="json")
    timeout: float = Field(30.0, gt=0, le=300, description="Seconds.")


class FirestoreSet(Arguments):
    """Write a document of your own; Segue's collections are refused."""

    action: Literal["firestore.set"] = "firestore.set"
    path: str = Field(description="collection/document, e.g. tickets/42.")
    data: dict[str, Json]

    @field_validator("path")
    @classmethod
    def _own_document(cls, path: str) -> str:
        parts = path.split("/")
        if len(parts) % 2 or not all(parts):
            raise ValueError(f"{path!r} does not name a document: use collection/document")
        if parts[0] in OWN_COLLECTIONS:
            raise ValueError(f"collection {parts[0]!r} belongs to Segue; choose another")
        if any(part in {".", ".."} or part.startswith("__") for part in parts):
            raise ValueError(f"{path!r} has a part that Firestore reserves")
        return path


class EventPublish(Arguments):
    """Publish a derived event: same correlation id, caused by this one, same id on every try."""

    action: Literal["event.publish"] = "event.publish"
    type: str = Field(min_length=1, max_length=256, pattern=TYPE_PATTERN)
    data: Json = None
    subject: str | None = None


class LogWrite(Arguments):
    """Write a line to the log under the run's trace."""

    action: Literal["log.write"] = "log.write"
    message: str
    severity: Literal["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR"] = "INFO"
    fields: dict[str, Json] = Field(default_factory=dict)


class CollectionRemove(Arguments):
    """Remove a document from a collection, unless it holds a later one."""

    action: Literal["collection.remove"] = "collection.remove"
    collection: str = Field(description="Name of a collection.")
    document: str = Field(min_length=1, max_length=1024, description="The document's name.")
    at: datetime = Field(description="When this came about, e.g. {{ event.time }}.")

    @field_validator("at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CollectionPut(CollectionRemove):
    """Put a document into a collection, unless it holds a later one; its texts are embedded."""

    action: Literal["collection.put"] = "collection.put"  # type: ignore[assignment]
    text: str
    metadata: dict[str, Json] = Field(default_factory=dict)


Action = Annotated[
    SlackPost
    | EmailSend
    | HttpRequest
    | FirestoreSet
    | EventPublish
    | LogWrite
    | CollectionPut
    | CollectionRemove,
    Field(discriminator="action"),
]
ACTIONS: dict[str, type[Arguments]] = {
    model.model_fields["action"].default: model for model in get_args(get_args(Action)[0])
}
_ADAPTER: TypeAdapter[Action] = TypeAdapter(Action)


def action_of(name: str, arguments: Mapping[str, Any]) -> Action:
    """The action with its arguments checked. Raises ActionInvalidError naming what is wrong."""
    if name not in ACTIONS:
        raise ActionInvalidError(f"there is no action {name!r}; there are {', '.join(ACTIONS)}")
    try:
        return _ADAPTER.validate_python({**arguments, "action": name})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'arguments'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ActionInvalidError(f"{name}: {problems}") from error
