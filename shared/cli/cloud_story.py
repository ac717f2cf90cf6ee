"""The story of a correlation id from Cloud Logging: two questions, and where a browser shows it.

Must not know how the log is asked; draws nothing but a word of waiting on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.cli.output import err, safe
from shared.cli.traces import Entry, entries_of, in_order
from shared.errors import NotFoundError, UsageError
from shared.ports import LogReader
from shared.runtime.log_reader import build_log_reader
from shared.runtime.settings import LOCAL_PROJECT, settings

LIMIT = 1000


class NoProjectError(UsageError):
    """Name the project with --project, or set GOOGLE_CLOUD_PROJECT."""


class NotInWindowError(NotFoundError):
    """Look further back with --since 7d, and check SEGUE_PREFIX; lines take seconds to arrive."""


@dataclass(frozen=True)
class Window:
    """How far back to look: as said, and in seconds."""

    said: str
    seconds: float


@dataclass(frozen=True)
class CloudStory:
    """What Cloud Logging has of a story. `scope` says where and how far back was looked."""

    entries: list[Entry]
    is_cut: bool
    scope: str
    links: tuple[tuple[str, str], ...]


async def read_story(wanted: str, window: Window, project: str | None, limit: int) -> CloudStory:
    """The story of what has this id: its latest `limit` attempts.

    Raises NotInWindowError, NoProjectError and CloudError.
    """
    chosen = settings()
    named = project or chosen.project
    if named == LOCAL_PROJECT:
        raise NoProjectError("Cloud Logging has a log for each project, and none is named")
    until = datetime.now(UTC)
    since = until - timedelta(seconds=window.seconds)
    scope = (
        f"Cloud Logging of {named}, services {chosen.prefix}-*,"
        f" the last {window.said}: since {since:%Y-%m-%d %H:%M} UTC"
    )
    with _waiting(f"reading {scope} …"):
        reader = build_log_reader(named, chosen.prefix)
        correlations = await reader.correlations(wanted, since=since)
        if not correlations:
            raise NotInWindowError(f"no line mentions {wanted!r} in {scope}")
        found = await reader.attempts(correlations, since=since, limit=limit)
    entries = in_order(entries_of(found.lines))
    if not entries:
        raise NotInWindowError(f"no stage has worked on {wanted!r} in {scope}")
    explorer = reader.link(correlations, since=since, until=until)
    return CloudStory(
        entries, found.is_cut, scope, (("Logs Explorer", explorer), *_spans(entries, reader))
    )


def _spans(entries: list[Entry], reader: LogReader) -> Iterator[tuple[str, str]]:
    """Traces that spans are stored of: the others have no page."""
    for trace_id in dict.fromkeys(entry.trace_id for entry in entries if entry.is_sampled):
        yield "Cloud Trace", reader.trace_link(trace_id)


def _waiting(text: str) -> AbstractContextManager[object]:
    return err.status(safe(text)) if err.is_terminal else nullcontext()
