"""Queries and links of Cloud Logging: what they say, and that a browser reads the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote, urlsplit

import pytest

from shared.adapters.log_queries import Deployment, quoted
from shared.runtime.stage_table import read_stages

SEGUE = Deployment("my-project", "segue")
SINCE = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))
UNTIL = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_question_is_of_this_deployment_and_this_time() -> None:
    assert SEGUE.attempts(["a", "b"], since=SINCE).splitlines() == [
        'resource.type="cloud_run_revision"',
        'resource.labels.service_name=~"^segue-[a-z]+$"',
        'labels.correlation_id="a" OR labels.correlation_id="b"',
        'jsonPayload.kind="stage_attempt"',
        'timestamp>="2026-01-01T00:00:00.000Z"',
    ]


def test_an_id_is_looked_for_wherever_one_may_stand() -> None:
    fields = [f"labels.{name}" for name in ("correlation_id", "run_id", "event_id", "dead_letter")]
    fields.append("jsonPayload.details.runs")  # opened by an attempt of `route`
    query = SEGUE.mentioning("x", since=SINCE, besides=["known"])
    assert query.splitlines()[2:-1] == [
        "labels.correlation_id:*",
        " OR ".join(f'{field}="x"' for field in fields),
        'NOT labels.correlation_id="known"',
    ]


def test_a_trace_id_is_looked_for_in_both_forms() -> None:
    query = SEGUE.mentioning(TRACE, since=SINCE)
    assert f'trace="projects/my-project/traces/{TRACE}" OR trace="{TRACE}"' in query


def test_a_service_of_every_stage_is_asked() -> None:
    """The query tells a stage's service by one word after the prefix."""
    assert all(name.isalpha() and name.islower() for name in read_stages().stages)


@pytest.mark.parametrize("text", ['a"b', "a\\", 'a\\"', "a\nb", "\x00", "ü🎵", " ", ""])
def test_a_string_is_one_token_whatever_is_in_it(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert "\n" not in quoted(text)


@pytest.mark.parametrize(
    "correlation", ["story-1", 'a";b?c#d/e&f=g%28h', "(x)", "50% off; ü 🎵", "a\nb"]
)
def test_a_link_opens_the_very_query(correlation: str) -> None:
    link = SEGUE.link([correlation, "b"], since=SINCE, until=UNTIL)
    parts = urlsplit(link)
    page, query, start, end = parts.path.split(";")
    assert (parts.scheme, parts.netloc, page) == (
        "https",
        "console.cloud.google.com",
        "/logs/query",
    )
    assert unquote(query.removeprefix("query=")) == SEGUE.story([correlation, "b"])
    assert (start, end) == (
        "startTime=2026-01-01T00:00:00.000Z",
        "endTime=2026-01-02T03:04:05.600Z",
    )
    assert (parts.query, parts.fragment) == ("project=my-project", "")
    assert not set(link) & set("()\"' \n")


def test_a_link_shows_what_user_code_wrote_too() -> None:
    assert "stage_attempt" not in SEGUE.story(["a"])
    assert "timestamp" not in SEGUE.story(["a"])  # it would switch the page's own time off


def test_a_trace_has_a_page() -> None:
    assert Deployment("a/b", "segue").trace_link(TRACE) == (
        f"https://console.cloud.google.com/traces/explorer;traceId={TRACE}?project=a%2Fb"
    )
