"""Tools and conversations as Google's model API has them; no network."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.domain.agents.conversation import Said, ToolCall
from shared.errors import (
    ModelCallMalformedError,
    ModelEmptyError,
    ModelRequestError,
    ModelTruncatedError,
)
from tests.unit.adapters.gemini_api import Api, Made, ask, candidate, ok

SIGNATURE = bytes(range(250, 256)) + b"\x00~?>"  # other letters in each form of base64
TOOL = {
    "name": "find",
    "description": "Find a thing.",
    "parameters": {
        "type": "object",
        "properties": {"name": {"$ref": "#/$defs/Name"}},
        "$defs": {"Name": {"type": "string"}},
        "additionalProperties": False,
    },
}


def parts(*given: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = candidate(**fields)
    body["candidates"][0]["content"]["parts"] = list(given)
    return body


def call(name: str = "find", args: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    signature = fields.pop("signature", None)
    part: dict[str, Any] = {"functionCall": {"name": name, "args": args or {}, **fields}}
    if signature is not None:
        part["thoughtSignature"] = base64.b64encode(signature).decode()
    return part


async def test_tools_are_declared_by_their_schemas_and_a_schema_of_the_answer_is_not_sent(
    api: Api, make: Made
) -> None:
    request = ask(tools=[TOOL], output_schema={"type": "object"})
    await make().generate(request, seconds=20)
    [declared] = api.body["tools"][0].values()
    [function] = declared
    assert function.pop("parametersJsonSchema", None) or function.pop("parameters_json_schema")
    assert function == {"name": "find", "description": "Find a thing."}
    assert TOOL["parameters"] in api_schemas(api)
    assert "responseMimeType" not in api.body.get("generationConfig", {})
    assert "toolConfig" not in api.body


def api_schemas(api: Api) -> list[Any]:
    [declared] = api.body["tools"][0].values()
    return list(declared[0].values())


async def test_parallel_calls_come_back_with_their_ids_and_are_no_empty_answer(
    api: Api, make: Made
) -> None:
    first, second = call(args={"name": "a"}, id="c1"), call(args={"name": "b"})
    api.answers = [ok(parts(first, second))]
    reply = await make().generate(ask(tools=[TOOL]), seconds=20)
    assert reply.calls == (
        ToolCall(name="find", args={"name": "a"}, id="c1"),
        ToolCall(name="find", args={"name": "b"}),
    )
    assert (reply.text, reply.finish_reason) == ("", "stop")


async def test_what_was_said_goes_back_byte_for_byte(api: Api, make: Made) -> None:
    thought = {"text": "Hm.", "thought": True}
    words = {"text": "I look it up."}
    answer = parts(thought, words, call(args={"n": [1, None]}, signature=SIGNATURE), call("other"))
    api.answers = [ok(answer)]
    reply = await make().generate(ask(tools=[TOOL]), seconds=20)
    assert reply.text == "I look it up."
    assert reply.said is not None
    kept = Said.model_validate_json(reply.said.model_dump_json())  # as a journal has it
    result = {"functionResponse": {"name": "find", "id": "c1", "response": {"result": 1}}}
    said = [kept, {"role": "user", "parts": [result]}]
    await make().generate(ask(tools=[TOOL], said=said), seconds=20)
    asked, model, user = api.body["contents"]
    assert asked["parts"] == [{"text": "Hello?"}]
    signed = model["parts"][2]
    assert base64.urlsafe_b64decode(signed.pop("thoughtSignature")) == SIGNATURE
    assert model == {"role": "model", "parts": [thought, words, signed, call("other")]}
    assert signed == call(args={"n": [1, None]})
    assert user == {"role": "user", "parts": [result]}


async def test_a_final_answer_is_kept_whole_too(api: Api, make: Made) -> None:
    signed = {"text": "Done.", "thoughtSignature": base64.b64encode(SIGNATURE).decode()}
    api.answers = [ok(parts(signed))]
    reply = await make().generate(ask(tools=[TOOL]), seconds=20)
    assert (reply.text, reply.calls) == ("Done.", ())
    assert reply.said is not None
    encoded = str(reply.said.parts[0]["thoughtSignature"])
    assert base64.urlsafe_b64decode(encoded) == SIGNATURE


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
async def test_a_tool_that_was_asked_for_wrongly_is_asked_again(
    api: Api, make: Made, reason: str
) -> None:
    api.answers = [ok(candidate("", finishReason=reason, finishMessage="call(print"))]
    with pytest.raises(ModelCallMalformedError, match=rf"{reason} \(call\(print\)") as caught:
        await make().generate(ask(tools=[TOOL]), seconds=20)
    assert caught.value.reply.calls == ()


async def test_a_call_that_may_be_cut_off_is_not_taken(api: Api, make: Made) -> None:
    api.answers = [ok(parts(call(), finishReason="MAX_TOKENS"))]
    with pytest.raises(ModelTruncatedError):
        await make().generate(ask(tools=[TOOL]), seconds=20)


async def test_thoughts_alone_are_no_answer(api: Api, make: Made) -> None:
    api.answers = [ok(parts({"text": "Hm.", "thought": True}))]
    with pytest.raises(ModelEmptyError):
        await make().generate(ask(tools=[TOOL]), seconds=20)


async def test_what_is_no_part_of_a_conversation_is_refused(api: Api, make: Made) -> None:
    said = [{"role": "user", "parts": [{"functionResponse": {"name": 3}}]}]
    with pytest.raises(ModelRequestError, match="what was said"):
        await make().generate(ask(said=said), seconds=20)
    assert not api.requests
