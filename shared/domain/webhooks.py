"""Who may send events over HTTP, and use the console: tokens and signatures, in constant time.

Pure: the time and the secrets are handed in. Sources: RFC 2104 (HMAC); Slack, "Verifying requests".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

TOLERANCE_SECONDS = 300  # how old or how far ahead a signed timestamp may be
SLACK = "slack"


@dataclass(frozen=True, repr=False)
class Gate:
    """What callers must show. `open` lets unsigned events in: for local use only.

    `link_secrets` sign links of approvals: the first of them; all are accepted.
    """

    token: str | None = None
    open: bool = False
    hook_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    link_secrets: tuple[str, ...] = ()

    def admits(self, authorization: str) -> bool:
        """Whether an `Authorization` header may send events."""
        if self.open:
            return True
        return self.token is not None and _equal(authorization, f"Bearer {self.token}")

    def signed(self, source: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Whether a webhook request of a source carries a fresh, valid signature.

        Several secrets of a source are all tried, so that one can be rotated in.
        """
        scheme = scheme_of(source)
        stamp = headers.get(scheme.timestamp_header, "")
        if not _is_fresh(stamp, now):
            return False
        given = headers.get(scheme.signature_header, "")
        expected = [
            scheme.sign(secret, stamp, body) for secret in self.hook_secrets.get(source, ())
        ]
        return any([_equal(given, signature) for signature in expected])  # noqa: C419 - try all


@dataclass(frozen=True, repr=False)
class Callers:
    """Who may use the console: tokens by the name that they prove, several of one to rotate it."""

    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def name_of(self, authorization: str) -> str | None:
        """Whose token an `Authorization` header carries; None where it is nobody's.

        Every token is compared, so that how long it takes tells nothing of any.
        """
        found = [
            name
            for name, tokens in self.tokens.items()
            for token in tokens
            if _equal(authorization, f"Bearer {token}")
        ]
        return found[0] if found else None


@dataclass(frozen=True)
class Scheme:
    """How a sender signs: header names, and what goes around timestamp and body."""

    timestamp_header: str
    signature_header: str
    signature_prefix: str
    base_prefix: str
    separator: str

    def sign(self, secret: str, timestamp: str, body: bytes) -> str:
        base = f"{self.base_prefix}{timestamp}{self.separator}".encode() + body
        return self.signature_prefix + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


_GENERIC_SCHEME = Scheme("x-segue-timestamp", "x-segue-signature", "sha256=", "", ".")
_SLACK_SCHEME = Scheme("x-slack-request-timestamp", "x-slack-signature", "v0=", "v0:", ":")
SCHEMES = {"generic": _GENERIC_SCHEME, SLACK: _SLACK_SCHEME}


def scheme_of(source: str) -> Scheme:
    """How a source signs. Only its own headers count: the other scheme's are not signed."""
    return SCHEMES.get(source, _GENERIC_SCHEME)


def _is_fresh(stamp: str, now: datetime) -> bool:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(now.timestamp() - int(stamp)) <= TOLERANCE_SECONDS


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
