"""Whether a flow makes sense: every complaint with its line and what to do."""

from __future__ import annotations

import pytest

from shared.domain.version import PromptVersion
from shared.prompting.library import read_flow
from shared.prompting.source import SourceProblems

SOUND = """\
flow: f
on:
  event: order.paid
  where: event.data.total > 0
input: {type: object}
steps:
  sort:
    prompt: support/sort
    with: {text: "{{ event.data.body }}"}
  find:
    call: crm.find
  reply:
    needs: [sort, find]
    when: sort.category != 'spam'
    action: email.send
    with: {to: "{{ find.email }}", subject: "{{ sort.category }}", text: "{{ run.id }}"}
outputs:
  category: "{{ sort.category }}"
"""


def prompt(name: str, body: str, output: dict | None = None) -> PromptVersion:
    head = {"description": "d", "model": "m", "output": output}
    return PromptVersion.model_validate({"name": name, "head": head, "body": body})


PROMPTS = {
    "support/sort": prompt(
        "support/sort",
        "{{ text }} {{ event.id }} {{ range(3) }}",
        {"type": "object", "properties": {"category": {}, "urgency": {}}},
    ),
    "free": prompt("free", "hello"),
    "open": prompt("open", "hello", {"type": "object"}),
}
CALLS = frozenset({"crm.find"})


def problems_of(text: str, calls: frozenset[str] | None = CALLS) -> list[tuple[int, str]]:
    try:
        read_flow(text, "flows/f.yaml", PROMPTS, calls)
    except SourceProblems as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []


def test_a_sound_flow_has_no_problems() -> None:
    assert problems_of(SOUND) == []
    version = read_flow(SOUND, "flows/f.yaml", PROMPTS, CALLS)
    assert set(version.prompts) == {"support/sort"}


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("flow: f", "flow: f\nnote: x", 2, "note: unknown key; remove it or correct its spelling"),
        ("needs: [sort, find]", "need: [sort]", 13, "steps.reply.need: unknown key"),
        ("support/sort", "support/srot", 8, "templates/support/srot.md.j2; did you mean 'supp"),
        ("needs: [sort, find]", "needs: [sort, fnd]", 13, "'fnd', which is not a step; did you"),
        ("needs: [sort, find]", "needs: [sort, find, find]", 13, "names a need twice"),
        ("call: crm.find", "needs: reply\n    call: crm.find", 10, "part of a cycle; break it by"),
        ("call: crm.find", "needs: find\n    call: crm.find", 10, "part of a cycle"),
        ("sort.category != 's", "srt.category != 's", 14, "'srt' is undefined; did you mean"),
        ("event.data.total > 0", "sort.x", 4, "'sort' has not finished here; add it to `needs`"),
        ("event.data.total > 0", "evnt.data", 4, "'evnt' is undefined; did you mean 'event'?"),
        ("event.data.total > 0", "event.data >", 4, "is not valid"),
        ("event.data.total > 0", "event.body", 4, "'event' has no 'body'; it has causation_id"),
        ("{{ find.email }}", "{{ fnd.email }}", 16, "'fnd' is undefined; did you mean 'find'?"),
        ("{{ run.id }}", "{{ run.version }}", 16, "'run' has no 'version'; it has correlation_id"),
        ('{{ sort.category }}", t', '{{ sort.categry }}", t', 16, "did you mean 'category'?"),
        ("'spam'", "sort.score", 14, "'sort' has no 'score'; it has category, urgency"),
        ('category: "{{ sort.c', 'category: "{{ srt.c', 18, "'srt' is undefined"),
        ('category: "{{ sort.category', 'x: "{{ sort.y', 18, "'sort' has no 'y'"),
        ("email.send", "email.sent", 15, "there is no action 'email.sent'; there are slack.post"),
        ("subject:", "topic:", 16, "email.send takes no 'topic'; it takes to, subject, text"),
        (', text: "{{ run.id }}"', "", 15, "email.send needs 'text' in `with`"),
        ("call: crm.find", "call: crm.fnd", 11, "functions/act/calls; did you mean 'crm.find'?"),
        ('with: {text: "{{ event.data.body }}"}', "with: {}", 8, "reads 'text', which step 'so"),
        ("{{ find.email }}", "{{ find.email | nofilter }}", 16, "No filter named 'nofilter'"),
        ("{{ find.email }}", "{{ lipsum() }}", 16, "'lipsum' is undefined"),
        ("input: {type: object}", "input: {type: objct}", 5, "not a JSON Schema"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(
    before: str, after: str, line: int, message: str
) -> None:
    assert SOUND.count(before) >= 1
    found = problems_of(SOUND.replace(before, after, 1))
    assert found[0][0] == line
    assert message in found[0][1]


def test_what_waits_for_a_cycle_is_unreachable() -> None:
    text = SOUND.replace("call: crm.find", "needs: find\n    call: crm.find")
    found = problems_of(text)
    assert [message.split(";")[0].split(":")[0] for _, message in found] == [
        "step 'find' is part of a cycle",
        "step 'reply' is unreachable",
    ]


def test_all_mistakes_are_told_at_once() -> None:
    text = SOUND.replace("crm.find", "crm.fnd").replace("'spam'", "x").replace("run.id", "run.no")
    assert len(problems_of(text)) == 3


def test_calls_are_checked_only_where_they_are_known() -> None:
    text = SOUND.replace("crm.find", "crm.other")
    assert problems_of(text, calls=None) == []
    assert len(problems_of(text)) == 1


@pytest.mark.parametrize(
    ("name", "attribute", "sound"),
    [("free", "text", True), ("free", "score", False), ("open", "anything", True)],
)
def test_attributes_follow_from_the_prompts_output(
    name: str, attribute: str, *, sound: bool
) -> None:
    text = (
        f"flow: f\non: {{event: t}}\nsteps:\n  a: {{prompt: {name}}}\n"
        f'outputs: {{x: "{{{{ a.{attribute} }}}}"}}\n'
    )
    assert (problems_of(text) == []) is sound


def test_a_file_that_is_no_mapping_is_a_problem() -> None:
    assert problems_of("- a") == [(1, "a flow file is a mapping with flow, on and steps")]
    assert problems_of("") == [(1, "a flow file is a mapping with flow, on and steps")]
