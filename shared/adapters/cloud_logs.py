"""The LogReader on Cloud Logging: entries come back as the lines that stages wrote.

Only the command line reads logs: no stage may import this. Must not know what a line means.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.api_core.retry import AsyncRetry
from google.auth.exceptions import GoogleAuthError
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.types import ListLogEntriesRequest, LogEntry
from google.protobuf.json_format import MessageToDict

from shared.adapters.cloud_log_errors import is_passing, reading_error
from shared.adapters.log_queries import ID_LABELS, Deployment
from shared.ports import LogLines

PATIENCE = 5.0  # seconds for all tries of a request together
_ATTEMPT = 60.0  # seconds for one try: a search over days takes its time
_PAGE = 1000  # entries in an answer, at most
_LOOK = 50  # entries that are looked at for further correlation ids
_STORIES = 20
_LOGGING = "logging.googleapis.com/"

Line = dict[str, Any]


def build_client() -> LoggingServiceV2AsyncClient:
    """A client for the running event loop. Raises CloudLoginError where there is no login."""
    try:
        return LoggingServiceV2AsyncClient()
    except GoogleAuthError as error:
        raise reading_error(error) from error


class CloudLogs:
    """Implements `LogReader`. `page` is the number of entries asked for at once."""

    def __init__(
        self,
        client: LoggingServiceV2AsyncClient,
        deployment: Deployment,
        *,
        patience: float = PATIENCE,
        page: int = _PAGE,
    ) -> None:
        self._client = client
        self._deployment = deployment
        self._patience = patience
        self._page = page

    async def correlations(self, wanted: str, *, since: datetime) -> list[str]:
        meant: dict[str, bool] = {}  # correlation id -> whether a line of it has the very id
        while len(meant) < _STORIES:
            query = self._deployment.mentioning(wanted, since=since, besides=meant)
            lines, is_cut = await self._latest(query, _LOOK)
            before = len(meant)
            for line in lines:
                known = meant.get(_correlation(line), False)
                meant[_correlation(line)] = known or _mentions(line, wanted)
            if not is_cut or len(meant) == before:
                break
        return [correlation for correlation, is_meant in meant.items() if is_meant]

    async def attempts(
        self, correlation_ids: Sequence[str], *, since: datetime, limit: int
    ) -> LogLines:
        query = self._deployment.attempts(correlation_ids, since=since)
        lines, is_cut = await self._latest(query, limit)
        # Cloud Logging does not tell capitals from small letters.
        meant = [line for line in lines if _correlation(line) in correlation_ids]
        return LogLines(tuple(reversed(meant)), is_cut)

    def link(self, correlation_ids: Sequence[str], *, since: datetime, until: datetime) -> str:
        return self._deployment.link(correlation_ids, since=since, until=until)

    def trace_link(self, trace_id: str) -> str:
        return self._deployment.trace_link(trace_id)

    async def _latest(self, query: str, limit: int) -> tuple[list[Line], bool]:
        """The latest lines, the last written first, and whether there are more."""
        request = ListLogEntriesRequest(
            resource_names=[f"projects/{self._deployment.project}"],
            filter=query,
            order_by="timestamp desc",
            page_size=min(self._page, limit + 1),
        )
        lines: list[Line] = []
        async for entry in self._entries(request):
            if len(lines) == limit:
                return lines, True
            lines.append(line_of(entry))
        return lines, False

    async def _entries(self, request: ListLogEntriesRequest) -> AsyncIterator[LogEntry]:
        """Page after page. One may be empty and still not the last: the search goes on there."""
        while True:
            page = await self._ask(request)
            for entry in page.entries:
                yield entry
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _ask(self, request: ListLogEntriesRequest) -> Any:
        retry = AsyncRetry(predicate=is_passing, initial=0.2, maximum=2.0, timeout=self._patience)

        async def once() -> Any:
            return await self._client.list_log_entries(request, retry=None, timeout=_ATTEMPT)

        try:
            return await retry(once)()
        except (GoogleAPIError, GoogleAuthError) as error:
            raise reading_error(error) from error


def line_of(entry: LogEntry) -> Line:
    """The line as the stage wrote it, in the form that Cloud Logging took it apart from."""
    raw = LogEntry.pb(entry)
    return {
        **_whole(MessageToDict(raw.json_payload)),  # type: ignore[no-untyped-call]
        "time": raw.timestamp.ToJsonString(),
        f"{_LOGGING}labels": dict(raw.labels),
        f"{_LOGGING}trace": raw.trace,
        f"{_LOGGING}spanId": raw.span_id,
        f"{_LOGGING}trace_sampled": raw.trace_sampled,
    }


def _whole(value: Any) -> Any:
    """Whole numbers are whole again: what holds the payload knows only floating ones."""
    match value:
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _correlation(line: Line) -> str:
    return str(line[f"{_LOGGING}labels"].get("correlation_id", ""))


def _mentions(line: Line, wanted: str) -> bool:
    """To the letter, as the search is not."""
    labels, details = line[f"{_LOGGING}labels"], line.get("details")
    runs = details.get("runs") if isinstance(details, dict) else None
    return (
        any(labels.get(name) == wanted for name in ID_LABELS)
        or line[f"{_LOGGING}trace"].rpartition("/")[2] == wanted
        or (isinstance(runs, list) and wanted in runs)
    )
