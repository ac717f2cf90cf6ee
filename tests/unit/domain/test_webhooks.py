"""Who may send events over HTTP: tokens, signatures, their age, and rotation of secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.webhooks import SCHEMES, SLACK, TOLERANCE_SECONDS, Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"type": "ping"}'
GATE = Gate(hook_secrets={"shop": ("new", "old"), SLACK: ("slack-secret",)})


def headers(
    secret: str, *, stamp: str = STAMP, body: bytes = BODY, source: str = "generic"
) -> dict:
    scheme = SCHEMES[source]
    return {
        scheme.timestamp_header: stamp,
        scheme.signature_header: scheme.sign(secret, stamp, body),
    }


def test_slacks_own_example_is_signed_as_slack_signs_it() -> None:
    """The vector of https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    stamp, secret = "1531420618", "8f742231b10e8888abcd99yyyzzz85a5"
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert SCHEMES[SLACK].sign(secret, stamp, body) == signature
    given = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    then = datetime.fromtimestamp(int(stamp), UTC)
    assert Gate(hook_secrets={SLACK: (secret,)}).signed(SLACK, given, body, then)


@pytest.mark.parametrize(("source", "scheme"), [("shop", "generic"), (SLACK, SLACK)])
def test_a_signed_request_is_let_in(source: str, scheme: str) -> None:
    secret = GATE.hook_secrets[source][0]
    assert GATE.signed(source, headers(secret, source=scheme), BODY, NOW)


@pytest.mark.parametrize("secret", ["new", "old"])
def test_both_secrets_of_a_rotation_are_taken(secret: str) -> None:
    assert GATE.signed("shop", headers(secret), BODY, NOW)


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, BODY),
        (headers("wrong"), BODY),
        (headers("new"), BODY + b" "),
        (headers("new", body=b""), BODY),
        ({**headers("new"), "x-segue-signature": "sha256=é"}, BODY),
        ({**headers("new"), "x-segue-signature": ""}, BODY),
        ({**headers("new"), "x-segue-signature": headers("new")["x-segue-signature"][7:]}, BODY),
        ({**headers("new"), "x-segue-timestamp": str(int(STAMP) + 1)}, BODY),
        ({"x-segue-signature": headers("new")["x-segue-signature"]}, BODY),
        (headers("slack-secret", source=SLACK), BODY),
    ],
)
def test_a_request_with_a_wrong_signature_is_kept_out(given: dict[str, str], body: bytes) -> None:
    assert not GATE.signed("shop", given, body, NOW)


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (0, True),
        (TOLERANCE_SECONDS, True),
        (TOLERANCE_SECONDS + 1, False),
        (-TOLERANCE_SECONDS, True),
        (-TOLERANCE_SECONDS - 1, False),
    ],
)
def test_a_stale_or_future_stamp_is_kept_out(age: int, *, fresh: bool) -> None:
    assert GATE.signed("shop", headers("new"), BODY, NOW + timedelta(seconds=age)) is fresh


@pytest.mark.parametrize(
    "stamp", ["", "soon", "1e9", "-1", "٣", "9" * 13, STAMP + ".5", f" {STAMP}"]
)
def test_a_stamp_that_is_no_number_is_kept_out(stamp: str) -> None:
    assert not GATE.signed("shop", headers("new", stamp=stamp), BODY, NOW)


def test_a_source_without_a_secret_signs_nothing() -> None:
    assert not GATE.signed("unknown", headers("new"), BODY, NOW)
    assert not Gate(hook_secrets={"shop": ()}).signed("shop", headers("new"), BODY, NOW)


@pytest.mark.parametrize(
    ("gate", "header", "admitted"),
    [
        (Gate(), "", False),
        (Gate(), "Bearer None", False),
        (Gate(token="t0k"), "Bearer t0k", True),
        (Gate(token="t0k"), "bearer t0k", False),
        (Gate(token="t0k"), "Bearer t0", False),
        (Gate(token="t0k"), "t0k", False),
        (Gate(token="t0k"), "Bearer é", False),
        (Gate(open=True), "", True),
    ],
)
def test_events_need_the_token_unless_the_gate_is_open(
    gate: Gate, header: str, *, admitted: bool
) -> None:
    assert gate.admits(header) is admitted


def test_a_gate_does_not_print_its_secrets() -> None:
    shown = repr(Gate(token="t0k", hook_secrets={"shop": ("new",)}))
    assert "t0k" not in shown
    assert "new" not in shown
