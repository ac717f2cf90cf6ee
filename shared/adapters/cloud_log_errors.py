"""What Google's errors mean to a person who reads the log: which remedy helps.

Decides which errors are worth another try. Must not know what was asked. As everywhere, a class's
docstring is its message.
"""

from __future__ import annotations

import re

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError

from shared.errors import CloudError

_PASSING = (
    google.Aborted,
    google.DeadlineExceeded,
    google.InternalServerError,
    google.ServiceUnavailable,
)
# gRPC tells a login that cannot be renewed as if the network were away.
_LOGIN = re.compile(r"metadata from plugin|invalid_grant|reauth|credentials", re.IGNORECASE)
_NETWORK = re.compile(r"connection|max retries|timed? ?out|resolv|transport", re.IGNORECASE)
_DISABLED = re.compile(r"has not been used|is disabled|quota project", re.IGNORECASE)
_NO_PROJECT = re.compile(
    r"project\b.*(not (be )?found|does not exist|deleted|invalid)|invalid.*(project|resource name)",
    re.IGNORECASE,
)
_LONGEST = 300  # characters of Google's own words


class CloudLoginError(CloudError):
    """Log in with `gcloud auth application-default login`.

    Or name a service account's key file in GOOGLE_APPLICATION_CREDENTIALS.
    """


class CloudDisabledError(CloudError):
    """Enable the API in the project with `gcloud services enable logging.googleapis.com`.

    Where it is enabled, the login lacks a project to count its requests for:
    `gcloud auth application-default set-quota-project PROJECT`.
    """


class CloudDeniedError(CloudError):
    """Have the role roles/logging.viewer granted on the project, and check the project's id.

    A project that does not exist is refused in the same way.
    """


class CloudProjectError(CloudError):
    """Correct the project's id: --project names it, else GOOGLE_CLOUD_PROJECT."""


class CloudQuotaError(CloudError):
    """Wait a minute and ask again; the quota is counted by the minute."""


class CloudUnreachableError(CloudError):
    """Check the network, proxy and firewall of this machine, then ask again."""


class CloudRefusedError(CloudError):
    """Google Cloud takes the request for wrong; its reason is the one given above."""


def is_passing(error: Exception) -> bool:
    """Whether asking again at once may help. A quota of requests a minute is not helped by that."""
    return isinstance(error, _PASSING) and not _is_about_login(error)


def reading_error(error: Exception) -> CloudError:
    """The error of the tree for one of Google's clients."""
    if isinstance(error, google.RetryError) and isinstance(error.cause, Exception):
        error = error.cause
    return _kind(error)(_text(error))


def _kind(error: Exception) -> type[CloudError]:
    text = str(error)
    match error:
        case TransportError():  # of a login: the server that renews it was not reached
            return CloudUnreachableError
        case GoogleAuthError() | google.Unauthenticated():
            return CloudLoginError
        case google.PermissionDenied() | google.NotFound() | google.InvalidArgument():
            return _refusal(error, text)
        case google.ResourceExhausted():
            return CloudQuotaError
        case _ if isinstance(error, (*_PASSING, google.RetryError)):
            return CloudLoginError if _is_about_login(error) else CloudUnreachableError
    return CloudRefusedError


def _is_about_login(error: Exception) -> bool:
    text = str(error)
    return _LOGIN.search(text) is not None and _NETWORK.search(text) is None


def _refusal(error: google.GoogleAPICallError, text: str) -> type[CloudError]:
    if error.reason == "SERVICE_DISABLED" or _DISABLED.search(text):
        return CloudDisabledError
    if error.reason == "CONSUMER_INVALID" or _NO_PROJECT.search(text):
        return CloudProjectError
    return CloudDeniedError if isinstance(error, google.PermissionDenied) else CloudRefusedError


def _text(error: Exception) -> str:
    message = " ".join(str(getattr(error, "message", None) or error).split()).rstrip(". ")
    told = f"{type(error).__name__}: {message}"
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"
