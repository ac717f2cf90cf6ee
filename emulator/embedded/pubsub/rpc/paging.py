"""Cuts sorted lists into pages. A token names the last item given, so that changes between two
pages neither repeat nor lose what stays. Must not know what the items are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from emulator.embedded.refusal import invalid

_DEFAULT_SIZE = 100
_LARGEST_SIZE = 1000

_Item = TypeVar("_Item")


def page(
    items: Sequence[_Item], request: Any, name: Callable[[_Item], str]
) -> tuple[Sequence[_Item], str]:
    """The page that a list request asks for, and the token of the next one ("" at the end).

    `items` are sorted by name. A size of 0 means 100; more than 1000 are never given.
    """
    if request.page_size < 0:
        raise invalid("The value for page_size is too small: it must not be negative.")
    if request.page_token:
        last = _name_in(request.page_token)
        items = [item for item in items if name(item) > last]
    size = min(request.page_size or _DEFAULT_SIZE, _LARGEST_SIZE)
    given = items[:size]
    return given, _token(name(given[-1])) if len(items) > size else ""


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise invalid("Invalid page token") from None
