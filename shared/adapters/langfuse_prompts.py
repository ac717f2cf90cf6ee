"""Prompts kept in Langfuse, through its public REST API: reading only.

Decides what a prompt there is to a flow. What its `config` does not say (model, parameters, input,
output) is as in the bundled copy, which serves too where Langfuse has none. Who caches is not here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import requests

from shared.domain.prompts.refs import PromptRef
from shared.domain.version import FrontMatter, PromptVersion
from shared.errors import Transient
from shared.ports import Labels
from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import SourceProblems

_ATTEMPT = (3.0, 5.0)  # seconds to connect, and between two pieces of an answer
_PAGE = 100  # the most that Langfuse lists at once
_PROMPTS = "/api/public/v2/prompts"
Bundled = Callable[[], Mapping[str, PromptVersion]]


class LangfuseUnavailableError(Transient):
    """Langfuse did not answer as it should.

    Check LANGFUSE_HOST and the keys in LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.
    """


class LangfusePrompts:
    """Implements `PromptRegistry`. Raises LangfuseUnavailableError.

    A version that is no prompt of ours raises ValueError.
    """

    def __init__(self, host: str, keys: tuple[str, str], bundled: Bundled) -> None:
        self._base = host.rstrip("/") + _PROMPTS
        self._keys = keys
        self._bundled = bundled

    async def pointed(self, wanted: Collection[PromptRef]) -> Labels:
        """One request for each label: it lists every prompt that has it."""
        labels = sorted({ref.at for ref in wanted})
        found = await asyncio.gather(*(asyncio.to_thread(self._labelled, at) for at in labels))
        return Labels({ref: number for part in found for ref, number in part.items()})

    async def version(self, ref: PromptRef) -> PromptVersion | None:
        """By number alone: Langfuse knows no hashes of ours."""
        if ref.number is None:
            return None
        path = f"/{quote(ref.name, safe='')}"
        found = await asyncio.to_thread(self._asked, path, {"version": ref.number})
        return self._read(ref.name, found) if found is not None else None

    def _labelled(self, label: str) -> dict[PromptRef, int]:
        found: dict[PromptRef, int] = {}
        page, pages = 1, 1
        while page <= pages:
            answer = self._asked("", {"label": label, "limit": _PAGE, "page": page}) or {}
            for listed in answer["data"]:
                if listed["versions"]:
                    found[PromptRef(listed["name"], label)] = max(listed["versions"])
            page, pages = page + 1, answer["meta"]["totalPages"]
        return found

    def _asked(self, path: str, query: Mapping[str, Any]) -> Any:
        """The answer's JSON, None where there is no such thing."""
        try:
            answer = requests.get(
                self._base + path, params=query, auth=self._keys, timeout=_ATTEMPT
            )
            if answer.status_code == requests.codes.not_found:
                return None
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise LangfuseUnavailableError(f"{type(error).__name__}: {error}") from error

    def _read(self, name: str, found: Mapping[str, Any]) -> PromptVersion:
        bundled = self._bundled().get(name)
        system, body = _texts(found["prompt"])
        said = found.get("config") or {}
        head = bundled.head.model_dump(exclude_defaults=True) if bundled is not None else {}
        head |= {key: said[key] for key in FrontMatter.model_fields if said.get(key) is not None}
        head |= {"system": system} if system else {}
        head.setdefault("description", f"{name} of Langfuse.")
        partials = bundled.partials if bundled is not None else {}
        text = f"---\n{json.dumps(head)}\n---\n{body}"
        try:
            return read_prompt(name, text, f"langfuse:{name}@{found['version']}", partials)
        except SourceProblems as problems:
            raise ValueError(str(problems)) from problems


def _texts(prompt: Any) -> tuple[str | None, str]:
    """(system, body) of a text, or of a chat of system messages and one of the user.

    Raises ValueError where it is neither.
    """
    if isinstance(prompt, str):
        return None, prompt
    said = dict(_by_role(prompt))
    if said.keys() - {"system"} != {"user"}:
        raise ValueError(f"a chat of {', '.join(sorted(said))}; one of system and user is taken")
    return said.get("system"), said["user"]


def _by_role(prompt: Any) -> Iterator[tuple[str, str]]:
    for message in prompt:
        yield str(message.get("role", message.get("type"))), str(message.get("content", ""))
