"""What the escape sequences in a filter's string literals stand for. Must not know the grammar.

https://cloud.google.com/pubsub/docs/subscription-message-filter: backslashes, quotation marks,
non-printing characters, and Unicode, hexadecimal and octal sequences may be escaped.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})"
    r"|u(?P<unicode>[0-9A-Fa-f]{4})|U(?P<long>[0-9A-Fa-f]{8})|(?P<plain>.))",
    re.DOTALL,
)
_PLAIN = dict(zip("abfnrtv\\'\"?`", "\a\b\f\n\r\t\v\\'\"?`", strict=True))


def unescaped(text: str) -> str | None:
    """The text between the quotes as it is meant; None where an escape is not one.

    Octal and hexadecimal sequences are bytes of UTF-8, Unicode sequences are characters.
    """
    if "\\" not in text:
        return text
    parts: list[bytes] = []
    end = 0
    try:
        for escape in _ESCAPE.finditer(text):
            parts += (text[end : escape.start()].encode(), _meant(escape))
            end = escape.end()
        return b"".join((*parts, text[end:].encode())).decode()
    except (KeyError, OverflowError, ValueError):
        return None


def _meant(escape: re.Match[str]) -> bytes:
    """Raises KeyError, ValueError or OverflowError for what stands for no character."""
    if (octal := escape["octal"]) is not None:
        return bytes([int(octal, 8)])
    if (hexadecimal := escape["hex"]) is not None:
        return bytes([int(hexadecimal, 16)])
    if (character := escape["unicode"] or escape["long"]) is not None:
        return chr(int(character, 16)).encode()
    return _PLAIN[escape["plain"]].encode()
