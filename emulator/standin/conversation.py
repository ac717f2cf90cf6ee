"""What was said in a conversation with tools, and whether Vertex AI would take it back like that.

Must not decide what is said next.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from emulator.standin.contents import JsonObject, field, objects, parts, text_of

# Letters that the two alphabets of base64 write differently: whoever decodes wrongly is found out.
_MARK = b"\xfb\xef\xbe\xff\x00"
_WRAPPED = ({"result"}, {"output"})  # what alone in a response is the result itself


@dataclass(frozen=True, slots=True)
class Done:
    """A call that was asked for, and what came back."""

    name: str
    args: JsonObject
    result: Any


@dataclass(frozen=True, slots=True)
class Conversation:
    """Read from a request. `turn` counts the answers, the next one included: first is 1.

    `latest` are the names of the tools whose results were given last.
    """

    turn: int = 1
    asked: str = ""
    done: tuple[Done, ...] = ()
    latest: tuple[str, ...] = ()

    @property
    def results(self) -> dict[str, list[Any]]:
        """What each tool returned, in the order of the calls."""
        found: dict[str, list[Any]] = {}
        for each in self.done:
            found.setdefault(each.name, []).append(each.result)
        return found


def read_conversation(contents: list[JsonObject]) -> Conversation:
    """Read what was said so far; what does not fit together is left to `objection`."""
    done: list[Done] = []
    for model, user in pairwise(contents):
        done += _answered(_calls(model), _responses(user))
    plain = [each for each in contents if not _is_model(each) and not _responses(each)]
    last = _responses(contents[-1]) if contents else []
    return Conversation(
        turn=1 + sum(map(_is_model, contents)),
        asked="\n".join(map(text_of, plain)),
        done=tuple(done),
        latest=tuple(str(each.get("name", "")) for each in last),
    )


def signature(call: JsonObject) -> str:
    """Return the thought signature that goes with a call: it fits no other."""
    signed = json.dumps([call.get(key) for key in ("id", "name", "args")], sort_keys=True)
    digest = hashlib.blake2b(signed.encode(), digest_size=24).digest()
    return base64.b64encode(_MARK + digest).decode()


def objection(contents: list[JsonObject]) -> str | None:
    """Say why Vertex AI would refuse the conversation; None where it would not."""
    for index, content in enumerate(contents):
        if not parts(content, "functionCall"):
            continue
        if (problem := _signature_problem(content)) is not None:
            return f"{problem} in contents[{index}]"
        following = contents[index + 1] if index + 1 < len(contents) else {}
        if (problem := _response_problem(_calls(content), _responses(following))) is not None:
            return f"{problem}, asked for in contents[{index}]"
    return None


def _signature_problem(content: JsonObject) -> str | None:
    """The first call of an answer carries its signature, as Gemini 3 demands.

    Source: https://cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures
    """
    first = parts(content, "functionCall")[0]
    call = field(first, "functionCall")
    given = field(first, "thoughtSignature")
    if not given:
        return f"Function call `{call.get('name')}` is missing a thought_signature"
    if _bytes(str(given)) != _bytes(signature(call)):
        return f"Function call `{call.get('name')}` has a thought_signature that is not its own"
    return None


def _response_problem(calls: list[JsonObject], responses: list[JsonObject]) -> str | None:
    if len(calls) != len(responses):
        return f"{len(responses)} function responses for {len(calls)} function calls"
    if len(_answered(calls, responses)) < len(calls):
        return "the ids and names of function responses are not those of the function calls"
    return None


def _answered(calls: list[JsonObject], responses: list[JsonObject]) -> list[Done]:
    """The calls with their results; by id, or where there is none by order."""
    waiting = list(responses)
    found = []
    for call in calls:
        mine = next((each for each in waiting if _answers(each, call)), None)
        if mine is not None:
            waiting.remove(mine)
            result = _result(mine.get("response"))
            found.append(Done(str(call.get("name", "")), call.get("args") or {}, result))
    return found


def _result(response: Any) -> Any:
    if isinstance(response, dict) and set(response) in _WRAPPED:
        return next(iter(response.values()))
    return response


def _answers(response: JsonObject, call: JsonObject) -> bool:
    same = response.get("name") == call.get("name")
    return same and response.get("id") in {None, "", call.get("id")}


def _is_model(content: JsonObject) -> bool:
    return content.get("role") == "model"


def _calls(content: JsonObject) -> list[JsonObject]:
    return objects([field(part, "functionCall") for part in parts(content, "functionCall")])


def _responses(content: JsonObject) -> list[JsonObject]:
    return objects([field(part, "functionResponse") for part in parts(content, "functionResponse")])


def _bytes(encoded: str) -> bytes | None:
    """Protobuf's JSON takes both alphabets, with padding or without."""
    plain = encoded.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None
