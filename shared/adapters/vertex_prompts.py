"""Prompts in Vertex AI's prompt management, which keeps them as versions of datasets.

By the dataset service's REST alone, as google-cloud-aiplatform calls it: that package takes no
google-genai that Segue can use. For the command line: nothing here is asynchronous.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError

from shared.adapters.vertex_prompt_form import SCHEMA, metadata_of, prompt_of
from shared.domain.version import PromptVersion
from shared.errors import CloudError, NotFoundError

_ATTEMPT = (5.0, 30.0)  # seconds to connect, and between two pieces of an answer
_PATIENCE = 120.0  # seconds for making something
_PAUSE = 1.0
_MARK = "segue-"  # before the content's hash, in the name of a version


class VertexFailedError(CloudError):
    """Check GOOGLE_CLOUD_PROJECT and --location, and that the login has roles/aiplatform.user."""


class NoSuchVertexPromptError(NotFoundError):
    """Name it as Vertex AI Studio does, give its number with --id, or another --location."""


@dataclass(frozen=True)
class VertexVersion:
    """Where a prompt is kept. Not `is_new`: a version with that content was there already."""

    prompt_id: str
    version_id: str
    is_new: bool


class VertexPrompts:
    """The prompts of one project and location; `base` is the address of the API.

    Raises VertexFailedError.
    """

    def __init__(
        self,
        session: requests.Session,
        base: str,
        place: tuple[str, str],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        project, location = place
        self._session = session
        self._base = f"{base.rstrip('/')}/v1beta1"
        self._parent = f"projects/{project}/locations/{location}"
        self._sleep = sleep

    def push(self, prompt: PromptVersion) -> VertexVersion:
        """Makes the prompt what is kept under its name, and has a version of it.

        What is done again, after a push that broke off too, is done once.
        """
        found = self._named(prompt.name)
        about = {"metadata": metadata_of(prompt), "modelReference": prompt.head.model}
        if found is None:
            about |= {"displayName": prompt.name, "metadataSchemaUri": SCHEMA}
            name = self._made(f"{self._parent}/datasets", about)
        else:
            name = str(found["name"])
            self._asked("PATCH", name, json={"name": name, **about})
        mark = f"{_MARK}{prompt.version}"
        for version in self._listed(f"{name}/datasetVersions", "datasetVersions"):
            if version.get("displayName") == mark:
                return VertexVersion(_last(name), _last(version["name"]), is_new=False)
        made = self._made(f"{name}/datasetVersions", {"displayName": mark})
        return VertexVersion(_last(name), _last(made), is_new=True)

    def pull(
        self,
        name: str,
        own: PromptVersion | None,
        partials: Mapping[str, str],
        *,
        prompt_id: str | None = None,
        version_id: str | None = None,
    ) -> PromptVersion:
        """What is kept under a name, or under a number in its place, as the prompt `name`.

        What is not kept there is as in `own`. Raises NoSuchVertexPromptError,
        VertexPromptUnfitError.
        """
        if prompt_id is not None:
            at = f"{self._parent}/datasets/{prompt_id}"
        else:
            found = self._named(name)
            if found is None:
                raise NoSuchVertexPromptError(f"{self._parent} has no prompt {name!r}")
            at = str(found["name"])
        at = at if version_id is None else f"{at}/datasetVersions/{version_id}"
        kept = self._asked("GET", at)
        if kept is None:
            raise NoSuchVertexPromptError(f"there is no {at}")
        return prompt_of(name, kept.get("metadata") or {}, own, partials)

    def _named(self, name: str) -> dict[str, Any] | None:
        """The dataset with this name; of several the one that was changed last."""
        query = {"filter": f'display_name="{name}"'}
        listed = self._listed(f"{self._parent}/datasets", "datasets", **query)
        found = [
            one
            for one in listed
            if one.get("displayName") == name and one.get("metadataSchemaUri", SCHEMA) == SCHEMA
        ]
        return max(found, key=lambda one: str(one.get("updateTime", "")), default=None)

    def _listed(self, path: str, key: str, **query: str) -> Iterator[dict[str, Any]]:
        page = ""
        while True:
            asked = {**query, **({"pageToken": page} if page else {})}
            answer = self._asked("GET", path, params=asked) or {}
            yield from answer.get(key) or ()
            page = answer.get("nextPageToken", "")
            if not page:
                return

    def _made(self, path: str, body: Mapping[str, Any]) -> str:
        """The name of what was made, once it is there."""
        operation = self._asked("POST", path, json=dict(body)) or {}
        waited = 0.0
        while not operation.get("done"):
            if waited >= _PATIENCE:
                raise VertexFailedError(f"{operation.get('name')} takes over {_PATIENCE:.0f} s")
            self._sleep(_PAUSE)
            waited += _PAUSE
            operation = self._asked("GET", str(operation.get("name"))) or {}
        if operation.get("error"):
            raise VertexFailedError(str(operation["error"].get("message")))
        return str((operation.get("response") or {}).get("name"))

    def _asked(self, method: str, path: str, **about: Any) -> dict[str, Any] | None:
        """The answer's JSON, None where there is no such thing to be got."""
        try:
            answer = self._session.request(
                method, f"{self._base}/{path}", timeout=_ATTEMPT, **about
            )
            if method == "GET" and answer.status_code == requests.codes.not_found:
                return None
            if not answer.ok:
                raise VertexFailedError(f"{answer.status_code} of {path}: {_told(answer)}")
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, GoogleAuthError) as error:
            raise VertexFailedError(f"{type(error).__name__}: {error}") from error
        return found


def _told(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return answer.reason or "no reason"


def _last(name: str) -> str:
    return name.rpartition("/")[2]
