"""Rule files: what matches, in which order, and what is refused with file and line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emulator.standin.app import RULES_FILE
from emulator.standin.question import Question, read
from emulator.standin.rule_file import RuleFileError, load, parse

if TYPE_CHECKING:
    from emulator.standin.rules import Rules


def asked(
    text: str, prompt: str = "", model: str = "gemini-2.5-flash", system: str = ""
) -> Question:
    body: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "labels": {"segue-prompt": prompt},
        "system_instruction": {"parts": [{"text": system}]},
    }
    return read(f"v1/publishers/google/models/{model}:generateContent", json.dumps(body).encode())


def said(rules: Rules, question: Question) -> str | None:
    picked = rules.pick(question)
    return None if picked is None or picked.reply is None else picked.reply.text


def test_the_first_rule_that_matches_wins() -> None:
    rules = parse("- {when: {contains: a}, answer: one}\n- {answer: two}\n", "f")
    assert said(rules, asked("A b")) == "one"
    assert said(rules, asked("b")) == "two"


@pytest.mark.parametrize(
    "when",
    [
        "{model: gemini-2.*}",
        "{prompt: support/classify}",
        "{prompt: support/*}",
        "{contains: [nothing, TWICE]}",
        "{pattern: '(?i)charged\\s+twice'}",
        "{system_contains: polite}",
    ],
)
def test_each_condition_is_met_and_missed(when: str) -> None:
    rules = parse(f"- {{when: {when}, answer: x}}", "f")
    hit = asked("Charged twice", "support/classify", system="Be polite")
    assert said(rules, hit) == "x"
    assert said(rules, asked("hello", "joke/write", model="other")) is None


def test_a_prompt_is_recognised_in_the_form_a_label_can_hold() -> None:
    rules = parse("- {when: {prompt: support/classify}, answer: x}", "f")
    assert said(rules, asked("", "support-classify")) == "x"
    assert said(rules, asked("", "support_classify")) == "x"


def test_only_the_last_user_turn_is_looked_at_tool_results_included() -> None:
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "first"}]},
            {"role": "model", "parts": [{"text": "hm"}]},
            {"role": "user", "parts": [{"functionResponse": {"response": {"sky": "sunny"}}}]},
        ]
    }
    question = read("models/m:generateContent", json.dumps(body).encode())
    assert question.text == '{"sky": "sunny"}'


def test_times_uses_a_rule_up_and_answers_take_turns() -> None:
    rules = parse("- {answer: once, times: 1}\n- {answers: [a, b]}\n", "f")
    assert [said(rules, asked("x")) for _ in range(4)] == ["once", "a", "b", "a"]


def test_a_json_answer_is_written_as_json_and_dates_stay_text() -> None:
    rules = parse("- answer: {day: 2026-01-05, ok: true}", "f")
    assert json.loads(said(rules, asked("x")) or "") == {"day": "2026-01-05", "ok": True}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- answer: a\n- {when: {promt: x}, answer: b}", "rules.yaml:2: unknown key 'promt'"),
        ("- answer: a\n  answr: b", "rules.yaml:2: unknown key 'answr'"),
        ("- answer: a\n  answer: b", "rules.yaml:2: the key 'answer' is here twice"),
        ("- answer:\n    x: 1\n    x: 2", "rules.yaml:3: the key 'x' is here twice"),
        ("- when: {}", "rules.yaml:1: the rule does nothing"),
        ("- {answer: a, answers: [b]}", "rules.yaml:1: the rule has both answer and answers"),
        ("- {fault: fire}", "rules.yaml:1: unknown fault 'fire': use one of 429"),
        ("- {answer: a,\n   delay: 5}", "rules.yaml:2: 5 is no duration"),
        ("- {answer: a, times: 0}", "rules.yaml:1: times is 0"),
        ("- {answer: a, when: {pattern: '('}}", "rules.yaml:1: '(' is no regular expression"),
        ("- answers: []", "rules.yaml:1: answers must be a list"),
        ("- calls: [{args: {}}]", "rules.yaml:1: a call needs a name"),
        ("answer: a", "rules.yaml:1: unknown key 'answer'"),
        ("just text", "rules.yaml:1: the rules must be a list"),
        ("- when: [\n", "rules.yaml:2: this is not YAML"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_line(text: str, problem: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        parse(text, "rules.yaml")
    assert str(caught.value).startswith(problem)


def test_an_empty_file_has_no_rules() -> None:
    assert len(parse("", "f")) == 0


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("support/classify", "I was charged twice", {"category": "billing"}),
        ("support/classify", "It crashes with an error", {"category": "technical"}),
        ("support/classify", "Best SEO offer", {"category": "spam"}),
        ("support/classify", "Invest in crypto now", {"category": "spam"}),
        ("support/classify", "Where is your office?", {"category": "other"}),
        ("support/draft", "I was charged twice", {"subject": "Your refund is on its way"}),
        ("support/draft", "Where is your office?", {"confidence": 0.55}),
    ],
)
def test_the_shipped_rules_answer_the_shipped_prompts(
    prompt: str, text: str, expected: dict[str, Any]
) -> None:
    answer = json.loads(said(load(RULES_FILE), asked(text, prompt)) or "")
    assert answer.items() >= expected.items()


def test_the_shipped_joke_is_about_pirates_and_has_a_critique() -> None:
    rules = load(RULES_FILE)
    joke = said(rules, asked("Write your best joke about pirates.", "joke/write")) or ""
    critique = said(rules, asked(f"Give an analysis of: {joke}", "joke/critique")) or ""
    assert "pirate" in joke
    assert critique.startswith("Analysis:")
    assert "Critique:" in critique
