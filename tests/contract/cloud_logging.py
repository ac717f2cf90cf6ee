"""A stand-in of Cloud Logging's ListLogEntries on localhost, for the tests of the log reader.

Evaluates the part of the query language that the reader writes, and refuses any other. As there,
strings are compared regardless of case, and OR binds closer than AND, which is a new line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry
from google.protobuf.json_format import MessageToDict, ParseDict

Fields = dict[str, Any]
_METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
_STRING = r'"(?:[^"\\]|\\.)*"'
_TERM = re.compile(
    rf"\s*(?P<no>NOT\s+)?(?P<path>[\w.]+)(?P<op>=~|>=|=|:)(?P<value>{_STRING}|\*)\s*(?P<more>OR\b)?"
)
_LABELS = "logging.googleapis.com/labels"
_TRACE = "logging.googleapis.com/trace"
_SPAN = "logging.googleapis.com/spanId"
_SAMPLED = "logging.googleapis.com/trace_sampled"
_TAKEN_OUT = {_LABELS, _TRACE, _SPAN, _SAMPLED, "severity", "time"}


class UnknownQueryError(ValueError):
    """The rest of a query that is not of the part that is known."""


@dataclass
class CloudLogging:
    """Entries of one project. `refusals` are raised first, one a request."""

    project: str
    entries: list[LogEntry] = field(default_factory=list)
    requests: list[ListLogEntriesRequest] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    biggest_page: int = 1000
    address: str = ""

    def write(self, line: Mapping[str, Any], *, service: str = "") -> None:
        """As Cloud Run's agent does with a line on standard output."""
        name = service or f"segue-{line['stage']}"
        entry: Fields = {
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": name}},
            "labels": line.get(_LABELS, {}),
            "trace": line.get(_TRACE, ""),
            "spanId": line.get(_SPAN, ""),
            "traceSampled": line.get(_SAMPLED, False),
            "timestamp": line["time"],
            "jsonPayload": {name: v for name, v in line.items() if name not in _TAKEN_OUT},
        }
        self.entries.append(LogEntry(ParseDict(entry, LogEntry.pb(LogEntry()))))

    def list(
        self, request: ListLogEntriesRequest, context: grpc.ServicerContext
    ) -> ListLogEntriesResponse:
        self.requests.append(request)
        if self.refusals:
            self.refusals.pop(0).tell(context)
        if list(request.resource_names) != [f"projects/{self.project}"]:
            context.abort(grpc.StatusCode.NOT_FOUND, "Project does not exist: it")
        try:
            matches = matcher(request.filter)
        except UnknownQueryError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unparseable filter: {error}")
        assert request.order_by == "timestamp desc"
        found = [entry for entry in self.entries if matches(fields_of(entry))]
        found.sort(key=lambda entry: entry.timestamp, reverse=True)
        start = int(request.page_token or 0)
        end = start + min(request.page_size or 50, self.biggest_page)
        more = str(end) if end < len(found) else ""
        return ListLogEntriesResponse(entries=found[start:end], next_page_token=more)


@dataclass(frozen=True)
class Refusal:
    """An error of the API; `details` is the serialized google.rpc.Status beside it."""

    code: grpc.StatusCode
    message: str
    details: bytes = b""

    def tell(self, context: grpc.ServicerContext) -> None:
        if self.details:
            context.set_trailing_metadata((("grpc-status-details-bin", self.details),))
        context.abort(self.code, self.message)


@contextmanager
def served(project: str) -> Iterator[CloudLogging]:
    """The stand-in at `address`, until the block ends."""
    standin = CloudLogging(project)
    with ThreadPoolExecutor(max_workers=2) as threads:
        server = grpc.server(threads)
        handler = grpc.unary_unary_rpc_method_handler(
            standin.list,
            request_deserializer=ListLogEntriesRequest.deserialize,
            response_serializer=ListLogEntriesResponse.serialize,
        )
        service, method = _METHOD.strip("/").split("/")
        generic = grpc.method_handlers_generic_handler(service, {method: handler})
        server.add_generic_rpc_handlers((generic,))
        standin.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield standin
        server.stop(grace=None).wait()


def fields_of(entry: LogEntry) -> Fields:
    """An entry as the query language sees it."""
    found: Fields = MessageToDict(LogEntry.pb(entry))
    return found


def matcher(query: str) -> Callable[[Fields], bool]:
    """What a query selects. Raises UnknownQueryError where it is not of the part that is known."""
    conditions = [_condition(line) for line in query.split("\n")]
    return lambda entry: all(any(term(entry) for term in terms) for terms in conditions)


def _condition(line: str) -> list[Callable[[Fields], bool]]:
    terms: list[Callable[[Fields], bool]] = []
    position, is_open = 0, True
    while is_open:
        match = _TERM.match(line, position)
        if match is None:
            raise UnknownQueryError(line[position:])
        terms.append(_term(match))
        position, is_open = match.end(), match["more"] is not None
    if position != len(line):
        raise UnknownQueryError(line[position:])
    return terms


def _term(match: re.Match[str]) -> Callable[[Fields], bool]:
    wanted = "" if match["value"] == "*" else json.loads(match["value"])
    path, op, is_negative = match["path"].split("."), match["op"], match["no"] is not None
    if (op == ":") != (match["value"] == "*"):
        raise UnknownQueryError(match[0])

    def holds(value: Any) -> bool:
        if isinstance(value, list):
            return any(holds(item) for item in value)
        if op == ">=":
            return datetime.fromisoformat(value) >= datetime.fromisoformat(wanted)
        if op == "=~":
            return re.search(wanted, value) is not None
        return op == ":" or str(value).lower() == wanted.lower()

    def test(entry: Fields) -> bool:
        value: Any = entry
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return (value is not None and holds(value)) is not is_negative

    return test
