"""Prompts out of Langfuse, by its public REST API as a local server speaks it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from shared.adapters.langfuse_prompts import LangfusePrompts, LangfuseUnavailableError
from shared.domain.prompts.refs import PromptRef
from shared.domain.version import FrontMatter, PromptVersion

KEYS = ("pk-lf-1", "sk-lf-1")
BUNDLED = PromptVersion(
    name="support/classify",
    head=FrontMatter(description="Sorts.", model="m", parameters={"temperature": 0}),
    body="Bundled {{ text }}{% include '_partials/a' %}",
    partials={"_partials/a": "!"},
)


class Langfuse(ThreadingHTTPServer):
    """Prompts as Langfuse keeps them: {name: [version, …]}; `asked` are the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prompts: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.page = 100

    def add(
        self, name: str, prompt: Any, *labels: str, config: dict[str, Any] | None = None
    ) -> int:
        versions = self.prompts.setdefault(name, [])
        for one in versions:
            one["labels"] = [label for label in one["labels"] if label not in labels]
        kind = "text" if isinstance(prompt, str) else "chat"
        about = {"name": name, "version": len(versions) + 1, "type": kind, "tags": []}
        versions.append({**about, "prompt": prompt, "labels": [*labels], "config": config or {}})
        return len(versions)

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        name = unquote(path.removeprefix("/api/public/v2/prompts").removeprefix("/"))
        if name:
            wanted = [
                o for o in self.prompts.get(name, []) if str(o["version"]) == query["version"]
            ]
            return (200, wanted[0]) if wanted else (404, {"error": "LangfuseNotFoundError"})
        found = [
            {"name": name, "versions": at, "labels": [query["label"]]}
            for name, versions in sorted(self.prompts.items())
            if (at := [one["version"] for one in versions if query["label"] in one["labels"]])
        ]
        page, pages = int(query["page"]), -(-len(found) // self.page)
        part = found[(page - 1) * self.page : page * self.page]
        return 200, {"data": part, "meta": {"page": page, "totalPages": pages}}


class _Handler(BaseHTTPRequestHandler):
    server: Langfuse

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.asked.append(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        given = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
        status, body = (
            (401, {}) if given != ":".join(KEYS) else self.server.answer(parts.path, query)
        )
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def langfuse() -> Iterator[Langfuse]:
    server = Langfuse()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def registry(langfuse: Langfuse, keys: tuple[str, str] = KEYS) -> LangfusePrompts:
    return LangfusePrompts(langfuse.host, keys, lambda: {BUNDLED.name: BUNDLED})


async def test_labels_are_listed_with_one_request_each_page_by_page(langfuse: Langfuse) -> None:
    langfuse.page = 2
    for name in "abc":
        langfuse.add(name, "old", "staging")
        langfuse.add(name, "new", "production")
    refs = [PromptRef("a"), PromptRef("b"), PromptRef("b", "staging"), PromptRef("gone", "beta")]
    labels = await registry(langfuse).pointed(refs)
    assert {ref: labels.pointed.get(ref) for ref in refs} == dict(
        zip(refs, (2, 2, 1, None), strict=True)
    )
    assert not labels.is_all
    assert len(langfuse.asked) == 2 + 2 + 1


async def test_a_text_takes_what_it_does_not_say_from_the_bundled_copy(langfuse: Langfuse) -> None:
    langfuse.add(BUNDLED.name, "Better {{ text }}{% include '_partials/a' %}")
    found = await registry(langfuse).version(PromptRef(BUNDLED.name, "1"))
    assert found is not None
    assert (found.head, found.partials) == (BUNDLED.head, BUNDLED.partials)
    assert found.body.startswith("Better")
    assert "support%2Fclassify" in langfuse.asked[0]


async def test_a_chat_is_a_system_instruction_and_a_body_and_config_is_the_head(
    langfuse: Langfuse,
) -> None:
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi {{ text }}"}]
    schema = {"type": "object"}
    langfuse.add(BUNDLED.name, chat, config={"model": "other", "output": schema, "tier": "gold"})
    found = await registry(langfuse).version(PromptRef(BUNDLED.name, "1"))
    assert found is not None
    head = {"model": "other", "system": "Be kind.", "output": schema}
    assert (found.body, found.head) == ("Hi {{ text }}", BUNDLED.head.model_copy(update=head))


@pytest.mark.parametrize(
    ("prompt", "config", "told"),
    [
        ("{{ broken", {}, "template"),
        ("{% include 'x' %}", {}, "includes 'x'"),
        ("fine", {"output": {"type": "nothing"}}, "not a JSON Schema"),
        ([{"role": "assistant", "content": "x"}], {}, "a chat of assistant"),
        ([{"type": "placeholder", "name": "x"}], {}, "a chat of placeholder"),
    ],
)
async def test_what_is_no_prompt_of_ours_is_told(
    langfuse: Langfuse, prompt: Any, config: dict[str, Any], told: str
) -> None:
    langfuse.add(BUNDLED.name, prompt, config=config)
    with pytest.raises(ValueError, match=told):
        await registry(langfuse).version(PromptRef(BUNDLED.name, "1"))


async def test_what_is_not_there_is_none_and_no_answer_is_a_passing_error(
    langfuse: Langfuse,
) -> None:
    found = registry(langfuse)
    assert await found.version(PromptRef(BUNDLED.name, "7")) is None
    assert await found.version(PromptRef(BUNDLED.name, "0123456789abcdef")) is None
    with pytest.raises(LangfuseUnavailableError, match="401"):
        await registry(langfuse, ("pk", "wrong")).pointed([PromptRef("a")])
    nobody = LangfusePrompts("http://127.0.0.1:1", KEYS, dict)
    with pytest.raises(LangfuseUnavailableError):
        await nobody.pointed([PromptRef("a")])
