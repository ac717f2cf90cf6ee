"""Laws of tools: whatever a model sends, it is told; whatever it has said goes back as it was."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from emulator.standin.conversation import objection, signature
from shared.adapters.gemini_answer import reply_of
from shared.adapters.gemini_request import contents_of
from shared.domain.agents.conversation import Said
from shared.domain.envelope import ModelRequest
from shared.errors import ToolError
from shared.testing.memory import MemoryStore
from shared.tools import StoredRecords, ToolContext, invoke, make, replaced

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = ToolContext("r", "s", "c", "k", "x", NOW, StoredRecords(MemoryStore(), lambda: NOW))
NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
FEW = settings(max_examples=40)


class Pair(BaseModel):
    """A result that does not always hold."""

    a: int = Field(le=5)
    b: list[str] = []


async def pair(a: int, b: list[str] | None = None, c: dict[str, float] | None = None) -> Pair:
    """Fails for some arguments, and gives a wrong result for others."""
    if c and 0 in c.values():
        raise ZeroDivisionError
    return Pair.model_construct(a=a, b=b or [])


@FEW
@given(st.dictionaries(NAMES, JSON, max_size=3))
async def test_whatever_a_model_sends_it_gets_a_result_that_holds_or_is_told_why_not(
    args: dict[str, Any],
) -> None:
    told = None
    with replaced({"pair": make(pair)}):
        try:
            result = await invoke("pair", args, CONTEXT)
        except ToolError as error:
            told = error.detail
    assert told.startswith("pair") if told is not None else Pair.model_validate(result)


CALLS = st.lists(
    st.tuples(NAMES, st.dictionaries(NAMES, JSON, max_size=2), st.binary(max_size=40)),
    min_size=1,
    max_size=3,
)


@FEW
@given(CALLS)
def test_whatever_was_said_goes_back_as_it_was(calls: list[tuple[str, Any, bytes]]) -> None:
    parts = [
        types.Part(function_call=types.FunctionCall(name=name, args=args), thought_signature=sign)
        for name, args, sign in calls
    ]
    content = types.Content(role="model", parts=parts)
    answer = types.GenerateContentResponse(candidates=[types.Candidate(content=content)])
    said = reply_of(answer, "m").said
    assert said is not None
    kept = Said.model_validate_json(said.model_dump_json())
    assert contents_of(ModelRequest(model="m", messages=(), said=(kept,))) == [content]


@FEW
@given(CALLS, st.data())
def test_a_conversation_that_lost_anything_is_refused(
    calls: list[tuple[str, Any, bytes]], data: st.DataObject
) -> None:
    asked = [{"name": name, "args": args, "id": str(i)} for i, (name, args, _) in enumerate(calls)]
    parts: list[dict[str, Any]] = [{"functionCall": call} for call in asked]
    parts[0] = {**parts[0], "thoughtSignature": signature(asked[0])}
    results = [
        {"functionResponse": {"name": call["name"], "id": call["id"], "response": {}}}
        for call in asked
    ]
    contents = [{"role": "model", "parts": parts}, {"role": "user", "parts": results}]
    assert objection(contents) is None
    if data.draw(st.booleans()):
        results.pop(data.draw(st.integers(0, len(results) - 1)))
    else:
        whole = base64.b64decode(parts[0]["thoughtSignature"])
        at = data.draw(st.integers(0, len(whole) - 1))
        spoiled = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        parts[0]["thoughtSignature"] = base64.b64encode(spoiled).decode()
    assert objection(contents) is not None
