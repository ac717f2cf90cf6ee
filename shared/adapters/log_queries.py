"""Questions to Cloud Logging in its query language, and links that open its pages on the answers.

Pure. Whatever is put into a query is quoted, so that an id can only ever be an id.
Source: https://cloud.google.com/logging/docs/view/logging-query-language
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

_CONSOLE = "https://console.cloud.google.com"
# Labels that an id asked for may stand in.
ID_LABELS = ("correlation_id", "run_id", "event_id", "dead_letter")
_CORRELATION = "labels.correlation_id"
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Deployment:
    """Whose log is asked: the services `<prefix>-<stage>` of a project.

    One condition a line, which means AND. Alternatives are written without parentheses, since OR
    binds closer than AND: Logs Explorer wants parentheses in a link escaped in a way of its own.
    """

    project: str
    prefix: str

    def mentioning(self, wanted: str, *, since: datetime, besides: Iterable[str] = ()) -> str:
        """Lines of what has this id, except those of the correlation ids in `besides`."""
        conditions = [
            *self._services(),
            f"{_CORRELATION}:*",
            _any([*((f"labels.{name}", wanted) for name in ID_LABELS), *self._within(wanted)]),
            *(f"NOT {_CORRELATION}={quoted(known)}" for known in besides),
            _since(since),
        ]
        return "\n".join(conditions)

    def attempts(self, correlation_ids: Sequence[str], *, since: datetime) -> str:
        """Stage attempts of these correlation ids."""
        kind = 'jsonPayload.kind="stage_attempt"'
        return "\n".join([self.story(correlation_ids), kind, _since(since)])

    def story(self, correlation_ids: Sequence[str]) -> str:
        """Every line of these correlation ids, whenever it was written."""
        either = _any([(_CORRELATION, correlation) for correlation in correlation_ids])
        return "\n".join([*self._services(), either])

    def link(self, correlation_ids: Sequence[str], *, since: datetime, until: datetime) -> str:
        """Logs Explorer on a story. The time is beside the query: in it, it would be fixed."""
        query = quote(self.story(correlation_ids), safe="")
        window = f"startTime={_rfc3339(since)};endTime={_rfc3339(until)}"
        return f"{_CONSOLE}/logs/query;query={query};{window}{self._of_project()}"

    def trace_link(self, trace_id: str) -> str:
        """Trace Explorer on a trace."""
        trace = quote(trace_id, safe="")
        return f"{_CONSOLE}/traces/explorer;traceId={trace}{self._of_project()}"

    def _of_project(self) -> str:
        return f"?project={quote(self.project, safe='')}"

    def _services(self) -> list[str]:
        # A stage's name is one word, so the services of prefix `segue-test` are not `segue`'s.
        names = f"^{self.prefix}-[a-z]+$"
        return [
            'resource.type="cloud_run_revision"',
            f"resource.labels.service_name=~{quoted(names)}",
        ]

    def _within(self, wanted: str) -> list[tuple[str, str]]:
        """Beside the labels: the runs that an attempt of `route` opened, and the trace."""
        places = [("jsonPayload.details.runs", wanted)]
        if _TRACE_ID.fullmatch(wanted):
            places += [("trace", f"projects/{self.project}/traces/{wanted}"), ("trace", wanted)]
        return places


def quoted(text: str) -> str:
    """A string of the query language; its escapes are those of JSON."""
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False)


def _any(alternatives: Iterable[tuple[str, str]]) -> str:
    return " OR ".join(f"{field}={quoted(value)}" for field, value in alternatives)


def _since(moment: datetime) -> str:
    return f'timestamp>="{_rfc3339(moment)}"'


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
