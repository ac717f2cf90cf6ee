"""What `segue publish` is given as data; sending it is the client's business."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from shared.errors import UsageError


class DataInvalidError(UsageError):
    """--data takes JSON, @file or - for standard input."""


def read_data(given: str) -> bytes:
    """The bytes of --data. Raises DataInvalidError where they are not JSON."""
    try:
        if given == "-":
            data = sys.stdin.buffer.read()
        elif given.startswith("@"):
            data = Path(given[1:]).read_bytes()
        else:
            data = given.encode()
        json.loads(data or b"null")
    except OSError as error:
        raise DataInvalidError(f"{given[1:]}: {error.strerror}") from error
    except ValueError as error:
        raise DataInvalidError(f"not JSON: {error}") from error
    return data
