"""Conversations with tools: scripted by turn and by results, refused where Vertex AI would."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from emulator.standin.conversation import objection
from emulator.standin.question import Question, read
from emulator.standin.rule_file import RuleFileError, parse
from emulator.standin.scripts import ScriptError
from emulator.standin.wire import reply_body

PATH = "v1/publishers/google/models/gemini-test:generateContent"
ASKED = {"role": "user", "parts": [{"text": "Provider T1 is ill. Be cautious."}]}


def question(*contents: dict[str, Any]) -> Question:
    body = {"contents": list(contents), "labels": {"segue-prompt": "clinic/move"}}
    return read(PATH, json.dumps(body).encode())


def answer(rules: str, *contents: dict[str, Any]) -> dict[str, Any]:
    """The content that the stand-in answers with."""
    at = question(*contents)
    picked = parse(rules, "f").pick(at)
    assert picked is not None
    assert picked.reply is not None
    content: dict[str, Any] = reply_body(at, picked.reply)["candidates"][0]["content"]
    return content


def results(content: dict[str, Any], *given: Any) -> dict[str, Any]:
    """What an agent sends back for the calls of an answer."""
    calls = [part["functionCall"] for part in content["parts"]]
    parts = [
        {"functionResponse": {"id": c["id"], "name": c["name"], "response": {"result": value}}}
        for c, value in zip(calls, given, strict=True)
    ]
    return {"role": "user", "parts": parts}


SCRIPT = """
- when: {turn: 1}
  calls: [{name: affected, args: {provider: T1}}]
- when: {after_tool: affected}
  calls:
    - name: score
      each: "{{ results.affected[-1].items }}"
      args: {item: "{{ item.id }}", note: "for {{ item.who }}"}
- when: {after_tool: score, asked_contains: cautious}
  calls:
    - {name: assign, each: "{{ done }}", if: "item.name == 'score' and item.result >= 60",
       args: "{{ item.args }}"}
    - {name: wait, each: "{{ done }}", if: "item.name == 'score' and item.result < 60",
       args: {item: "{{ item.args.item }}"}}
- when: {results_contain: waits}
  answer:
    assigned: "{{ results.assign | length }}"
    total: "{{ results.affected[-1].items | count }}"
"""
ITEMS = {"items": [{"id": "A1", "who": "Ada"}, {"id": "A2", "who": "Bob"}]}


def test_a_script_goes_by_turn_and_by_what_tools_returned() -> None:
    first = answer(SCRIPT, ASKED)
    assert first["parts"][0]["functionCall"] == {
        "id": "call-1-1",
        "name": "affected",
        "args": {"provider": "T1"},
    }
    so_far = [ASKED, first, results(first, ITEMS)]
    second = answer(SCRIPT, *so_far)
    assert [part["functionCall"]["args"] for part in second["parts"]] == [
        {"item": "A1", "note": "for Ada"},
        {"item": "A2", "note": "for Bob"},
    ]
    so_far += [second, results(second, 80, 40)]
    third = answer(SCRIPT, *so_far)
    assert [part["functionCall"]["name"] for part in third["parts"]] == ["assign", "wait"]
    assert third["parts"][1]["functionCall"] == {
        "id": "call-3-2",
        "name": "wait",
        "args": {"item": "A2"},
    }
    so_far += [third, results(third, "assigned", "waits")]
    assert objection(so_far) is None
    [part] = answer(SCRIPT, *so_far)["parts"]
    assert json.loads(part["text"]) == {"assigned": 1, "total": 2}


def test_only_the_first_call_of_an_answer_is_signed() -> None:
    second = answer(SCRIPT, ASKED, first := answer(SCRIPT, ASKED), results(first, ITEMS))
    assert ["thoughtSignature" in part for part in second["parts"]] == [True, False]


def turn() -> list[dict[str, Any]]:
    """A conversation of one call that has its answer, to be spoiled."""
    first = json.loads(json.dumps(answer(SCRIPT, ASKED)))
    return [ASKED, first, results(first, ITEMS)]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_signature_is_its_bytes_in_either_form_of_base64(encode: Any) -> None:
    contents = turn()
    part = contents[1]["parts"][0]
    part["thoughtSignature"] = encode(base64.b64decode(part["thoughtSignature"])).decode()
    assert objection(contents) is None
    part["thought_signature"] = part.pop("thoughtSignature").rstrip("=")
    assert objection(contents) is None


def test_a_response_may_come_without_the_id_of_its_call() -> None:
    contents = turn()
    del contents[2]["parts"][0]["functionResponse"]["id"]
    assert objection(contents) is None
    assert question(*contents).conversation.results == {"affected": [ITEMS]}


def test_a_conversation_without_its_signature_is_refused() -> None:
    contents = turn()
    del contents[1]["parts"][0]["thoughtSignature"]
    assert "missing a thought_signature in contents[1]" in str(objection(contents))


@pytest.mark.parametrize("altered", ["AAAA", "not base64!", ""])
def test_a_signature_that_was_altered_is_refused(altered: str) -> None:
    contents = turn()
    contents[1]["parts"][0]["thoughtSignature"] = altered
    assert "thought_signature" in str(objection(contents))


def test_a_signature_does_not_fit_another_call() -> None:
    contents = turn()
    contents[1]["parts"][0]["functionCall"]["args"] = {"provider": "T2"}
    assert "not its own" in str(objection(contents))


def test_a_call_without_a_response_is_refused() -> None:
    contents = turn()
    assert "0 function responses for 1 function calls" in str(objection(contents[:2]))
    contents[2]["parts"].append(contents[2]["parts"][0])
    assert "2 function responses for 1" in str(objection(contents))


@pytest.mark.parametrize("spoiled", [{"name": "other"}, {"id": "call-9-9"}])
def test_a_response_to_another_call_is_refused(spoiled: dict[str, str]) -> None:
    contents = turn()
    contents[2]["parts"][0]["functionResponse"] |= spoiled
    assert "are not those of the function calls" in str(objection(contents))


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("{name: a, args: {x: '{{ results.none[0] }}'}}", "results.none"),
        ("{name: a, each: '{{ turn }}'}", "each of a is int"),
        ("{name: a, args: '{{ turn }}'}", "args of a is int"),
        ("{name: a, if: 'turn > 5'}", "come to nothing"),
    ],
)
def test_a_script_that_does_not_fit_says_so(call: str, problem: str) -> None:
    with pytest.raises(ScriptError, match=problem):
        parse(f"- calls: [{call}]", "f").pick(question(ASKED))


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{when: {turn: 0}, answer: a}", "turn is 0"),
        ("{when: {turn: yes}, answer: a}", "turn is"),
        ("{calls: [{name: a, args: [1]}]}", "args must be a mapping"),
        ("{calls: [{name: a, every: []}]}", "unknown key 'every'"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_line(rule: str, problem: str) -> None:
    with pytest.raises(RuleFileError, match=rf"f:1: .*{problem}"):
        parse(f"- {rule}", "f")
