"""Vertex AI's datasets as its prompt management uses them: prompts, their versions, operations.

Speaks what google-cloud-aiplatform 2.7.0 was seen to ask, paths and answers.
"""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Body = dict[str, Any]
_PATH = re.compile(
    r"/v1beta1/(?P<parent>projects/[^/]+/locations/[^/]+/datasets)"
    r"(?:/(?P<number>\d+)(?:/(?P<what>operations|datasetVersions)(?:/(?P<one>\d+))?)?)?"
)


class Datasets(ThreadingHTTPServer):
    """`kept` are the datasets by number, `versions` theirs by number, `asked` the requests.

    An operation is done when it is asked about for the second time. `page`: how many are listed
    at once.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, Body] = {}
        self.versions: dict[str, dict[str, Body]] = {}
        self.asked: list[str] = []
        self.refusal: tuple[int, str] | None = None
        self.page = 2
        self._open: dict[str, str] = {}
        self._looked: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, target: str, body: Body | None) -> tuple[int, Body]:
        self.asked.append(f"{method} {target}")
        if self.refusal is not None:
            return _error(*self.refusal)
        url = urlsplit(target)
        query = {key: one for key, [one] in parse_qs(url.query).items()}
        found = _PATH.fullmatch(url.path)
        assert found is not None, target
        parent, number = found["parent"], found["number"]
        if number is None:
            return self._all(method, parent, query, body)
        if number not in self.kept:
            return _error(404, f"The Dataset does not exist: {number}")
        if found["what"] == "operations":
            return 200, self._operation(url.path.removeprefix("/v1beta1/"))
        if found["what"] is None:
            if method == "PATCH":
                self.kept[number] |= body or {}
            return 200, self.kept[number]
        return self._version(method, number, found["one"], query, body)

    def add(self, parent: str, body: Body) -> str:
        number = str(len(self.kept) + 101)
        at = f"2026-01-01T00:{len(self.kept):02d}:00Z"
        self.kept[number] = {**body, "name": f"{parent}/{number}", "updateTime": at}
        self.versions[number] = {}
        return number

    def _all(
        self, method: str, parent: str, query: dict[str, str], body: Body | None
    ) -> tuple[int, Body]:
        if method == "POST":
            number = self.add(parent, body or {})
            return 200, self._begun(f"{parent}/{number}", f"{parent}/{number}")
        wanted = query.get("filter", "").removeprefix('display_name="').removesuffix('"')
        found = [one for one in self.kept.values() if wanted in {"", one["displayName"]}]
        return 200, self._paged("datasets", found, query)

    def _version(
        self, method: str, number: str, one: str | None, query: dict[str, str], body: Body | None
    ) -> tuple[int, Body]:
        known, dataset = self.versions[number], self.kept[number]
        if method == "POST":
            name = f"{dataset['name']}/datasetVersions/{len(known) + 1}"
            about = {key: dataset[key] for key in ("metadata", "modelReference")} | {"name": name}
            known[str(len(known) + 1)] = {**(body or {}), **about}
            return 200, self._begun(dataset["name"], name)
        if one is None:
            return 200, self._paged("datasetVersions", list(known.values()), query)
        return (200, known[one]) if one in known else _error(404, f"no version {one}")

    def _paged(self, key: str, found: list[Body], query: dict[str, str]) -> Body:
        at = int(query.get("pageToken", "0"))
        rest = {"nextPageToken": str(at + self.page)} if at + self.page < len(found) else {}
        return {key: found[at : at + self.page], **rest}

    def _begun(self, under: str, made: str) -> Body:
        name = f"{under}/operations/{len(self._open) + 1}"
        self._open[name] = made
        return {"name": name}

    def _operation(self, name: str) -> Body:
        if name not in self._looked:
            self._looked.add(name)
            return {"name": name}
        return {"name": name, "done": True, "response": {"name": self._open[name]}}


class _Handler(BaseHTTPRequestHandler):
    server: Datasets

    def _answer(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size) or b"null")
        status, said = self.server.answer(self.command, self.path, body)
        told = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - as the base class calls them

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def _error(status: int, message: str) -> tuple[int, Body]:
    return status, {"error": {"code": status, "message": message}}
