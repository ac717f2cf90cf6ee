"""Every port in memory, deterministic, and counting what a test may ask about.

The store keeps Firestore's semantics; `tests/contract` holds both to the same suite.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from shared.document_size import require_committable, storable_size
from shared.domain.actions import EmailSend, HttpRequest, SlackPost
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import Message, ModelRequest
from shared.domain.model import Json
from shared.domain.origin import origin
from shared.domain.records import Tokens
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    EventTooLargeError,
    SegueError,
    StaleError,
)
from shared.ports import (
    Create,
    Delete,
    Document,
    Increment,
    ModelReply,
    Near,
    Nearest,
    Put,
    Query,
    StageReport,
    Update,
    Write,
    Written,
)
from shared.testing.memory_queries import matching, nearest_of

PROMPT_LABEL = "segue-prompt"
_MAX_MESSAGE_BYTES = 10_000_000
_LONGEST_ANSWER = 1000  # tokens, where no price table says


class MemoryStore:
    """Implements `Store`. `reads` and `writes` count by path, `commits` those that succeeded.

    `counts` are the count queries, by collection; `searches` those for what is near.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.searches: list[Nearest] = []
        self.commits = 0
        self._revisions = itertools.count(1)

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        await asyncio.sleep(0)  # like any call to a server, it lets others go first
        if not writes:
            return []
        require_committable(writes)
        after = dict(self.documents)
        revision = f"{next(self._revisions):012d}"
        written = [_apply(after, write, revision) for write in writes]
        self.documents = after
        self.writes.update(write.path for write in writes)
        self.commits += 1
        return written

    async def get(self, path: str) -> Document | None:
        [found] = await self.get_many([path])
        return found

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        await asyncio.sleep(0)
        self.reads.update(dict.fromkeys(paths, 1))
        return [copy.deepcopy(self.documents.get(path)) for path in paths]

    async def find(self, query: Query) -> list[Document]:
        await asyncio.sleep(0)
        found = matching(self.documents.values(), query)
        self.reads.update(document.path for document in found)
        return copy.deepcopy(found)

    async def count(self, query: Query) -> int:
        await asyncio.sleep(0)
        self.counts[query.collection] += 1
        return len(matching(self.documents.values(), query))

    async def nearest(self, query: Nearest) -> list[Near]:
        await asyncio.sleep(0)
        self.searches.append(query)
        return copy.deepcopy(nearest_of(self.documents.values(), query))

    def reset_counts(self) -> None:
        """Count from zero."""
        self.reads.clear()
        self.writes.clear()
        self.counts.clear()
        self.commits = 0


def _apply(documents: dict[str, Document], write: Write, revision: str) -> Written:
    """Carries out one write on a state that is thrown away where a later one fails."""
    before = documents.get(write.path)
    if isinstance(write, Delete):
        if write.revision is not None and (before is None or before.revision != write.revision):
            raise StaleError(write.path)
        documents.pop(write.path, None)
        return Written("")
    after = _after(before, write)
    storable_size(write.path, after)
    if before is None or before.data != after:
        before = Document(write.path, after, revision)
        documents[write.path] = before
    counters = {name: after[name] for name in write.by} if isinstance(write, Increment) else {}
    return Written(before.revision, counters)


def _after(before: Document | None, write: Create | Update | Put | Increment) -> dict[str, Any]:
    given = copy.deepcopy(dict(write.data))
    _require_flat_lists(write.path, list(given.values()))
    match write:
        case Create():
            if before is not None:
                raise AlreadyExistsError(write.path)
            return given
        case Update():
            if before is None or before.revision != write.revision:
                raise StaleError(write.path)
            return {**before.data, **given}
        case Put():
            return given
        case Increment():
            fields = {**(before.data if before else {}), **given}
            return {**fields, **{name: _added(fields, name, by) for name, by in write.by.items()}}


def _require_flat_lists(path: str, values: Iterable[Any]) -> None:
    for value in values:
        inner = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(inner, list):
            continue
        if inner is value and any(isinstance(item, list) for item in value):
            raise ActionFailedError(f"Firestore refuses the data: {path} has a list in a list")
        _require_flat_lists(path, inner)


def _added(fields: Mapping[str, Any], name: str, by: int) -> int:
    value = fields.get(name)
    return by + (value if isinstance(value, int) and not isinstance(value, bool) else 0)


class MemoryBus:
    """Implements `Bus`. `published` holds everything ever sent, as (topic, id, message)."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, Message]] = []
        self._waiting: dict[str, deque[tuple[str, Message]]] = defaultdict(deque)

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        await asyncio.sleep(0)
        for message in messages:
            if len(message.data) > _MAX_MESSAGE_BYTES:
                raise EventTooLargeError(f"a message for {topic} has {len(message.data):,} bytes")
        return [self._keep(topic, message) for message in messages]

    def _keep(self, topic: str, message: Message) -> str:
        message_id = str(len(self.published) + 1)
        self.published.append((topic, message_id, message))
        self._waiting[topic].append((message_id, message))
        return message_id

    def take(self, topic: str) -> list[tuple[str, Message]]:
        """(id, message) of what was sent to a topic since the last time, in order."""
        taken = list(self._waiting[topic])
        self._waiting[topic].clear()
        return taken

    def waiting(self) -> list[str]:
        """Topics with something to take."""
        return sorted(topic for topic, messages in self._waiting.items() if messages)


Said = str | Mapping[str, Any] | SegueError | ModelReply
Answer = Said | Sequence[Said] | Callable[[ModelRequest], Said]


class ScriptedModel:
    """Implements `Model`. Answers by prompt name, `default` for the others.

    An answer is text, a JSON object, a ready reply, an error to raise, a function of the
    request, or several of these in turn, the last one for good.
    """

    provider = "double"

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        default: Answer = "An answer.",
        prices: PriceTable | None = None,
        usd_per_token: float = 1e-6,
    ) -> None:
        self.answers = dict(answers or {})
        self.default = default
        self.calls: list[ModelRequest] = []
        self.calls_by_prompt: Counter[str] = Counter()
        self._prices = prices
        self._usd_per_token = usd_per_token

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        del seconds  # it never takes any
        await asyncio.sleep(0)
        prompt = request.labels.get(PROMPT_LABEL, "")
        nth = self.calls_by_prompt[prompt]
        self.calls_by_prompt[prompt] += 1
        self.calls.append(request)
        said = self._said(self.answers.get(prompt, self.default), request, nth)
        if isinstance(said, SegueError):
            raise said
        if isinstance(said, ModelReply):
            return said
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        return ModelReply(text, _tokens(request, text), request.model, "stop")

    @staticmethod
    def _said(answer: Answer, request: ModelRequest, nth: int) -> Said:
        if callable(answer):
            return answer(request)
        if isinstance(answer, Sequence) and not isinstance(answer, str):
            return answer[min(nth, len(answer) - 1)]
        return answer

    def cost(self, model: str, tokens: Tokens) -> float | None:
        if self._prices is not None:
            return self._prices.cost(model, tokens)
        return round((tokens.input + tokens.output) * self._usd_per_token, 9)

    def most_output(self, model: str) -> int | None:
        return self._prices.most_output(model) if self._prices is not None else _LONGEST_ANSWER


def _tokens(request: ModelRequest, text: str) -> Tokens:
    asked = len(request.system or "") + sum(len(said) for _, said in request.messages)
    return Tokens(input=max(asked // 4, 1), output=max(len(text) // 4, 1))


Outside = SlackPost | EmailSend | HttpRequest


class RecordingEffects:
    """Implements `Effects`. `performed` are (key, action) in order; `errors` are raised first."""

    def __init__(self, errors: Iterable[SegueError] = ()) -> None:
        self.performed: list[tuple[str, Outside]] = []
        self.errors = deque(errors)

    async def post_to_slack(self, action: SlackPost, key: str) -> Json:
        await self._perform(key, action)
        # As Slack does with client_msg_id: the same key is the same message.
        return {"channel": action.channel, "ts": f"{crc32(key.encode())}.000000"}

    async def send_email(self, action: EmailSend, key: str) -> Json:
        await self._perform(key, action)
        return {"message_id": f"<{key}@segue>", "refused": []}

    async def request_http(self, action: HttpRequest, key: str) -> Json:
        await self._perform(key, action)
        return {"status": 200, "headers": {}, "body": {"ok": True}}

    async def _perform(self, key: str, action: Outside) -> None:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.popleft()
        self.performed.append((key, action))


class ManualClock:
    """Implements `Clock`: stands still until it is moved, or somebody sleeps."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, by: timedelta | float) -> None:
        """Moves on, by seconds where `by` is a number."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)


class RecordingTelemetry:
    """Implements `Telemetry`. `lines` are (severity, message, fields).

    As in the log, a line without trace or labels of its own has those of the message in hand.
    """

    def __init__(self) -> None:
        self.reports: list[StageReport] = []
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def report(self, report: StageReport) -> None:
        self.reports.append(report)

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None:
        here = origin()
        about = {"labels": dict(here.labels)} if here.labels else {}
        told = {"trace_id": trace_id or here.trace_id, **about, **fields}
        self.lines.append((severity, message, told))

    async def flush(self) -> None:
        """There is nowhere to send it."""
