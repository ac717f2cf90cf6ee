"""Signed links by which one person decides about one step of one run, until a moment.

Pure: time and secrets are handed in. A link is not used up by being opened or used; a run takes the
first decision. Source: RFC 2104 (HMAC).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_PURPOSE = b"segue-approval."  # what is signed for one purpose counts for no other
LONGEST = 2048  # characters of a token


@dataclass(frozen=True)
class ApprovalLink:
    """Who may decide about which step of which run, and until when, in whole seconds of UTC."""

    run: str
    step: str
    by: str
    expires: datetime

    def is_over(self, now: datetime) -> bool:
        return now >= self.expires


def sign(link: ApprovalLink, secret: str) -> str:
    """The token that goes into an address."""
    told = [link.run, link.step, link.by, int(link.expires.timestamp())]
    payload = _text(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{payload}.{_signature(payload, secret)}"


def read(token: str, secrets: Sequence[str]) -> ApprovalLink | None:
    """What a token says; None where none of the secrets has signed it. All of them are tried."""
    payload, _, given = token.partition(".")
    if len(token) > LONGEST or not token.isascii():
        return None
    expected = [_signature(payload, secret) for secret in secrets]
    if not any([hmac.compare_digest(given, one) for one in expected]):  # noqa: C419 - try all
        return None
    return _link(payload)


def _link(payload: str) -> ApprovalLink | None:
    try:
        told = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        run, step, by, expires = told
        return ApprovalLink(run, step, by, datetime.fromtimestamp(expires, UTC))
    except (ValueError, TypeError, binascii.Error, OverflowError):  # signed by another version
        return None


def _signature(payload: str, secret: str) -> str:
    return _text(hmac.new(secret.encode(), _PURPOSE + payload.encode(), hashlib.sha256).digest())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
