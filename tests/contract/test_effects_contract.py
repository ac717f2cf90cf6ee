"""What every Effects guarantees: held by the double, and by the adapters on the local sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared.adapters.outside_effects import OutsideEffects, build_effects
from shared.domain.actions import EmailSend, HttpRequest, SlackPost, action_of
from shared.errors import ActionFailedError, EffectUnavailableError
from shared.testing.memory import RecordingEffects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from emulator.sink import Sink
    from shared.ports import Effects

KEY = "0123456789abcdef0123456789abcdef"
SLACK = SlackPost(channel="#support", text="Hello ü", thread_ts="1.0")
MAIL = EmailSend(to=["a@example.com", "b@example.com"], subject="Grüße", text="Hello\nthere ü\n")


def http(url: str, **fields: Any) -> HttpRequest:
    action = action_of("http.request", {"url": url, **fields})
    assert isinstance(action, HttpRequest)
    return action


@pytest_asyncio.fixture(loop_scope="session")
async def build() -> AsyncIterator[Callable[..., OutsideEffects]]:
    """Builds effects that are closed after the test."""
    built: list[OutsideEffects] = []

    def made(**settings: str | None) -> OutsideEffects:
        built.append(build_effects(**settings))
        return built[-1]

    yield made
    for effects in built:
        await effects.aclose()


@pytest.fixture
def real(sink: Sink, build: Callable[..., OutsideEffects]) -> OutsideEffects:
    return build(
        slack_token="xoxb-secret",
        slack_url=f"{sink.url}/api",
        smtp_url=f"smtp://{sink.smtp_host}:{sink.smtp_port}",
        email_from="Segue <segue@example.com>",
    )


@pytest.fixture(params=["double", "real"])
def effects(request: pytest.FixtureRequest) -> Effects:
    if request.param == "double":
        return RecordingEffects()
    found: Effects = request.getfixturevalue("real")
    return found


async def test_slack_tells_where_the_message_is(effects: Effects) -> None:
    result = await effects.post_to_slack(SLACK, KEY)
    assert isinstance(result, dict)
    assert set(result) == {"channel", "ts"}
    assert result["channel"] == "#support"


async def test_mail_tells_its_message_id(effects: Effects) -> None:
    result = await effects.send_email(MAIL, KEY)
    assert result == {"message_id": f"<{KEY}@segue>", "refused": []}


async def test_http_tells_status_headers_and_body(effects: Effects, sink: Sink) -> None:
    result = await effects.request_http(http(f"{sink.url}/http/tickets", json={"n": 1}), KEY)
    assert isinstance(result, dict)
    assert set(result) == {"status", "headers", "body"}
    assert result["status"] == 200
    assert isinstance(result["body"], dict)
    assert result["body"]["ok"] is True


async def test_slack_gets_text_thread_and_key(
    real: OutsideEffects, outbox: Callable[[], list[dict[str, Any]]]
) -> None:
    await real.post_to_slack(SLACK, KEY)
    await real.post_to_slack(SLACK, KEY)
    first, second = outbox()
    assert first["key"] == KEY
    assert first["body"]["thread_ts"] == "1.0"
    assert (first["channel"], first["text"]) == ("#support", "Hello ü")
    assert first["headers"]["authorization"] == "Bearer xoxb-secret"
    assert second["duplicate_of"] == first["id"]
    assert first["body"]["client_msg_id"] == second["body"]["client_msg_id"]


async def test_mail_arrives_whole_and_a_repeat_is_told_by_its_id(
    real: OutsideEffects, outbox: Callable[[], list[dict[str, Any]]]
) -> None:
    await real.send_email(MAIL, KEY)
    await real.send_email(MAIL, KEY)
    first, second = outbox()
    assert (first["sender"], first["to"]) == ("segue@example.com", MAIL.to)
    assert (first["subject"], first["text"]) == ("Grüße", "Hello\nthere ü\n")
    assert second["duplicate_of"] == first["id"]


async def test_http_gets_method_body_headers_and_key(
    real: OutsideEffects, sink: Sink, outbox: Callable[[], list[dict[str, Any]]]
) -> None:
    url = sink.url.replace("127.0.0.1", "localhost")
    action = http(f"{url}/http/a/b?c=d", method="PUT", json={"n": [1]}, headers={"X-Own": "1"})
    await real.request_http(action, KEY)
    [got] = outbox()
    assert (got["method"], got["path"], got["query"]) == ("PUT", "/a/b", "c=d")
    assert got["body"] == {"n": [1]}
    assert got["key"] == KEY
    assert got["headers"]["x-own"] == "1"
    assert got["headers"]["host"].startswith("localhost:")


async def test_slacks_refusal_is_told(real: OutsideEffects) -> None:
    with pytest.raises(ActionFailedError, match="channel_not_found") as caught:
        await real.post_to_slack(SLACK.model_copy(update={"channel": ""}), KEY)
    assert "xoxb" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("slack", "SEGUE_SLACK_TOKEN"), ("smtp", "SEGUE_SMTP_URL"), ("from", "SEGUE_EMAIL_FROM")],
)
async def test_what_is_not_set_is_named(
    build: Callable[..., OutsideEffects], name: str, variable: str
) -> None:
    effects = build(smtp_url="smtp://localhost:1" if name == "from" else None)
    call = effects.post_to_slack(SLACK, KEY) if name == "slack" else effects.send_email(MAIL, KEY)
    with pytest.raises(ActionFailedError, match=variable):
        await call


async def test_services_that_are_not_there_are_unavailable(
    build: Callable[..., OutsideEffects], unused_tcp_port: int
) -> None:
    nowhere = f"127.0.0.1:{unused_tcp_port}"
    effects = build(
        slack_token="t",
        slack_url=f"http://{nowhere}",
        smtp_url=f"smtp://user:secret@{nowhere}",
        email_from="a@b",
    )
    for call in (
        effects.post_to_slack(SLACK, KEY),
        effects.send_email(MAIL, KEY),
        effects.request_http(http(f"http://{nowhere}/"), KEY),
    ):
        with pytest.raises(EffectUnavailableError) as caught:
            await call
        assert "secret" not in str(caught.value)


async def test_the_double_raises_the_errors_it_is_given_first() -> None:
    effects = RecordingEffects([EffectUnavailableError("once")])
    with pytest.raises(EffectUnavailableError):
        await effects.send_email(MAIL, KEY)
    await effects.send_email(MAIL, KEY)
    assert effects.performed == [(KEY, MAIL)]
