"""The page: complete in itself, closed to everything else, and the same as a table."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

from shared.cli.graph.page import page_of
from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.domain.version import FlowVersion

Reports = Callable[..., dict[str, Any]]
Flows = Callable[..., FlowVersion]
NASTY = "</td></svg></style><script>alert(1)</script><img src=x onerror=alert(2)>"


class Reader(HTMLParser):
    """Elements, style sheets, and rows of the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.policy = ""
        self.sheets: list[str] = []
        self.rows: list[list[str]] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""
        self._inside.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["style"]:
            self.sheets.append(data)
        elif self._inside[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += data


def test_its_policy_allows_its_own_sheets_and_nothing_else(branching: FlowVersion) -> None:
    page = Reader(page_of(graph_of(branching)))
    hashes = [
        f"'sha256-{b64encode(sha256(sheet.encode()).digest()).decode()}'" for sheet in page.sheets
    ]
    assert len(hashes) == 2
    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src {' '.join(hashes)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_it_needs_nothing_but_itself(branching: FlowVersion) -> None:
    page = Reader(page_of(graph_of(branching)))
    assert not page.tags & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not page.names & {"src", "href", "style", "xlink:href"}


def test_what_comes_from_outside_is_text(flows: Flows) -> None:
    version = flows(
        {"a": {"when": f"event.x == '{NASTY}'"}}, outputs={NASTY: NASTY}, description=NASTY
    )
    text = page_of(graph_of(version))
    page = Reader(text)
    assert not page.tags & {"script", "img"}
    assert ["a", "action", "log.write", "order.placed", f"when event.x == '{NASTY}'"] in page.rows
    assert re.search(r"<(script|img)", text) is None


def test_a_run_is_a_table_too(branching: FlowVersion, reports: Reports) -> None:
    told = {"error": {"code": "ModelBusy", "message": "busy"}}
    statuses = {"check": "succeeded", "pay": "failed"}
    report = reports(branching, statuses, "running", pay=told)
    rows = {row[0]: row for row in Reader(page_of(with_run(graph_of(branching), report))).rows}
    assert rows["step"][-3:] == ["status", "spent", "error"]
    assert rows["pay"][-3:] == ["✗ failed", "", "ModelBusy: busy"]
    assert rows["rest"][3:6] == ["tell", "on error continue", "· pending"]
