"""Who calls: names proven by bearer tokens, which are compared in constant time.

Pure. Source: RFC 6750, section 2.1 (the Authorization header).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, repr=False)
class Callers:
    """Tokens by the name that they prove; several of a name, so that one can be rotated in."""

    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def name_of(self, authorization: str) -> str | None:
        """Whose token an `Authorization` header carries; None where it is nobody's.

        Every token is compared, so that how long it takes tells nothing of any.
        """
        given = authorization.encode()
        found = [
            name
            for name, tokens in self.tokens.items()
            for token in tokens
            if hmac.compare_digest(given, f"Bearer {token}".encode())
        ]
        return found[0] if found else None
