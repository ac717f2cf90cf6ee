"""What Google's errors mean to the pipeline: a conflict, a hopeless request, or a passing failure.

Decides which errors are worth another try. Must not know what was being written.
"""

from __future__ import annotations

import re

from google.api_core import exceptions as google

from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    IndexMissingError,
    RecordTooLargeError,
    SegueError,
    StaleError,
    StoreUnavailableError,
)

_PASSING = (
    google.Aborted,
    google.DeadlineExceeded,
    google.InternalServerError,
    google.ResourceExhausted,
    google.ServiceUnavailable,
)
# A message over gRPC's own limit is answered like an exhausted quota, and never gets smaller.
_TOO_LARGE = re.compile(
    r"exceeds? (the )?(maximum|limit)|maximum (\w+ )?size|too (large|big)|(longer|larger) than",
    re.IGNORECASE,
)
_NO_VECTOR_INDEX = re.compile(r"missing vector index", re.IGNORECASE)
_NO_DATABASE = re.compile(r"database .*does not exist", re.IGNORECASE | re.DOTALL)


def is_passing(error: Exception) -> bool:
    """Whether the same call may succeed when it is made again."""
    return isinstance(error, _PASSING) and not _is_about_size(error)


def commit_error(error: Exception) -> SegueError:
    """What a failed commit means."""
    cause = _cause(error)
    text = _text(cause)
    match cause:
        case google.AlreadyExists():
            return AlreadyExistsError(text)
        case google.FailedPrecondition():
            return StaleError(text)
        case google.NotFound() if not _NO_DATABASE.search(text):
            return StaleError(text)
        case _ if _is_about_size(cause):
            return RecordTooLargeError(text)
        case google.InvalidArgument():
            return ActionFailedError(f"Firestore refuses the data: {text}")
    return StoreUnavailableError(text)


def read_error(error: Exception) -> SegueError:
    """What a failed read means; a query that lacks its index waits for it, a search does not."""
    cause = _cause(error)
    text = _text(cause)
    if isinstance(cause, google.FailedPrecondition) and _NO_VECTOR_INDEX.search(text):
        return IndexMissingError(text)
    return StoreUnavailableError(text)


def _cause(error: Exception) -> Exception:
    if isinstance(error, google.RetryError) and isinstance(error.cause, Exception):
        return error.cause
    return error


def _is_about_size(error: Exception) -> bool:
    sized = (google.InvalidArgument, google.ResourceExhausted, google.OutOfRange)
    return isinstance(error, sized) and bool(_TOO_LARGE.search(_text(error)))


def _text(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return f"{type(error).__name__}: {message}"[:500]
