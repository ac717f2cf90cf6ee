"""How Vertex AI is reached for its prompts: the address of a location, and a login."""

from __future__ import annotations

import google.auth
import requests
from google.auth.transport.requests import AuthorizedSession

from shared.adapters.vertex_prompts import VertexPrompts
from shared.errors import UsageError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class ProjectMissingError(UsageError):
    """Name the project whose prompts they are: export GOOGLE_CLOUD_PROJECT=my-project."""


def vertex_prompts(project: str | None, location: str, base_url: str | None) -> VertexPrompts:
    """Those of a project and location; a server at `base_url` asks for no login.

    Raises ProjectMissingError, and GoogleAuthError where there is no login.
    """
    if project is None:
        raise ProjectMissingError("no project of Google Cloud is named")
    if base_url is not None:
        return VertexPrompts(requests.Session(), base_url, (project, location))
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return VertexPrompts(
        session, f"https://{location}-aiplatform.googleapis.com", (project, location)
    )
