"""Google's words: the JSON bodies of answers, errors and stream chunks.

Must not decide what is answered, only how it is written down.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.standin.conversation import signature
from emulator.standin.question import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.standin.question import Question

JsonObject = dict[str, Any]

_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_WORDS_PER_CHUNK = 6
_SAFETY = [
    {
        "category": "HARM_CATEGORY_DANGEROUS_CONTENT",
        "probability": "HIGH",
        "severity": "HARM_SEVERITY_HIGH",
        "blocked": True,
    }
]
_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks to be called. `id` is none's other in the conversation."""

    name: str
    args: JsonObject
    id: str = ""

    def part(self) -> JsonObject:
        """Return the call as a content part."""
        call: JsonObject = {"name": self.name, "args": self.args}
        return {"functionCall": {"id": self.id, **call} if self.id else call}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says: text, or calls of functions."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "STOP"

    def parts(self) -> list[JsonObject]:
        """Return the reply as content parts."""
        if not self.calls:
            return [{"text": self.text}] if self.text else []
        first, *others = [call.part() for call in self.calls]
        signed = {**first, "thoughtSignature": signature(first["functionCall"])}
        return [signed, *others]


def reply_body(question: Question, reply: Reply) -> JsonObject:
    """Write a reply as a GenerateContentResponse."""
    content: JsonObject = {"role": "model"}
    if parts := reply.parts():
        content["parts"] = parts
    candidate: JsonObject = {"content": content, "finishReason": reply.finish, "index": 0}
    if reply.finish == "SAFETY":
        candidate = {"finishReason": reply.finish, "index": 0, "safetyRatings": _SAFETY}
    said = json.dumps(parts) if reply.calls else reply.text
    return {"candidates": [candidate], **_trailer(question, said)}


def blocked_prompt_body(question: Question) -> JsonObject:
    """Write the answer to a prompt that was refused: no candidates at all."""
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "The prompt was blocked."}
    return {"promptFeedback": feedback, **_trailer(question, "")}


def chunks(body: JsonObject) -> Iterator[JsonObject]:
    """Split a response into what a stream sends; only the last chunk has reason and usage."""
    candidates = body.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts", [])
    pieces = _pieces(parts[0]["text"]) if parts and "text" in parts[0] else []
    if len(pieces) < 2:
        yield body
        return
    for piece in pieces[:-1]:
        content = {"role": "model", "parts": [{"text": piece}]}
        yield {
            "candidates": [{"content": content, "index": 0}],
            "modelVersion": body["modelVersion"],
            "responseId": body["responseId"],
        }
    content = {"role": "model", "parts": [{"text": pieces[-1]}]}
    yield {**body, "candidates": [{**candidates[0], "content": content}]}


def error_body(status: int, message: str) -> JsonObject:
    """Write an error the way Google does."""
    name = _STATUS_NAMES.get(status, "UNKNOWN")
    return {"error": {"code": status, "message": message, "status": name}}


def _trailer(question: Question, said: str) -> JsonObject:
    usage = {
        "promptTokenCount": question.prompt_tokens,
        "totalTokenCount": question.prompt_tokens,
        "trafficType": "ON_DEMAND",
    }
    if question.cached_tokens:
        usage["cachedContentTokenCount"] = question.cached_tokens
    if said:
        usage["candidatesTokenCount"] = tokens(said)
        usage["totalTokenCount"] = question.prompt_tokens + tokens(said)
    return {
        "usageMetadata": usage,
        "modelVersion": question.model,
        "responseId": f"local-{next(_ids):08d}",
    }


def _pieces(text: str) -> list[str]:
    words = re.findall(r"\S*\s*", text)
    joined = (
        "".join(words[i : i + _WORDS_PER_CHUNK]) for i in range(0, len(words), _WORDS_PER_CHUNK)
    )
    return [piece for piece in joined if piece]
