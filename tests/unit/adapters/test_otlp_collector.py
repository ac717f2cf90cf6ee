"""Who gets Google's credentials: Google, over TLS, and nobody else."""

from __future__ import annotations

import logging
from typing import Any

import google.auth
import pytest
import requests
from google.auth.exceptions import DefaultCredentialsError
from google.oauth2.credentials import Credentials
from requests.adapters import BaseAdapter

from shared.adapters.otlp_collector import OtlpCollector, Sent
from shared.adapters.spans import Source, SpanBuilder
from tests.unit.adapters.test_spans import REPORT

SPANS = SpanBuilder(Source("segue-generate", "p")).spans_of(REPORT)
GOOGLE = "https://telemetry.googleapis.com/v1/traces"


class Wire(BaseAdapter):
    """Takes every request instead of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = 200, b"", request
        return answer

    def close(self) -> None: ...


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(requests.Session, "get_adapter", lambda *_, **__: wire)
    monkeypatch.setattr(google.auth, "default", _credentials)
    # google-auth cuts this one off the root logger when it is first used; given back afterwards.
    monkeypatch.setattr(logging.getLogger("google"), "propagate", True)
    return wire


def _credentials(*, scopes: list[str]) -> tuple[Credentials, str]:
    assert scopes == ["https://www.googleapis.com/auth/cloud-platform"]
    return Credentials("t0ken", quota_project_id="payer"), "p"  # type: ignore[no-untyped-call]


def sent_to(endpoint: str, wire: Wire) -> Any:
    assert OtlpCollector(endpoint, seconds=1.0).send(SPANS) == Sent()
    [request] = wire.requests
    assert request.url == endpoint
    return request.headers


def test_google_gets_its_credentials_and_who_pays(wire: Wire) -> None:
    headers = sent_to(GOOGLE, wire)
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["x-goog-user-project"] == "payer"
    assert headers["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:4318/v1/traces",
        "https://collector.example/v1/traces",
        "https://telemetry.googleapis.com.example/v1/traces",
        "https://evilgoogleapis.com/v1/traces",
        "http://telemetry.googleapis.com/v1/traces",
    ],
)
def test_nobody_else_does(wire: Wire, endpoint: str) -> None:
    assert "authorization" not in sent_to(endpoint, wire)


def test_other_collectors_get_the_headers_that_the_environment_names(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20own,x-tenant=a")
    headers = sent_to("https://collector.example/v1/traces", wire)
    assert (headers["authorization"], headers["x-tenant"]) == ("Bearer own", "a")


@pytest.mark.usefixtures("wire")
def test_credentials_that_are_missing_are_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: Any) -> None:
        raise DefaultCredentialsError("a path")  # type: ignore[no-untyped-call]

    collector = OtlpCollector(GOOGLE, seconds=1.0)
    with monkeypatch.context() as patch:
        patch.setattr(google.auth, "default", missing)
        assert collector.send(SPANS) == Sent("no credentials (DefaultCredentialsError)", again=True)
    assert collector.send(SPANS) == Sent()


def test_a_collector_is_named_without_what_its_address_holds_of_secrets() -> None:
    collector = OtlpCollector("https://user:s3cret@collector.example/v1?key=s3cret", seconds=1.0)
    assert collector.host == "collector.example"
