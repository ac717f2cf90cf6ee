"""Whether a mapped step makes sense: every complaint with its line and what to do."""

from __future__ import annotations

import pytest

from shared.prompting.library import read_flow
from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import SourceProblems

SOUND = """\
flow: f
on: {event: t}
steps:
  load:
    call: x.y
  ask:
    needs: load
    when: load | length > 1
    foreach:
      in: load
      max_parallel: 3
      tolerate: 10%
    prompt: ask
    with: {text: "{{ item.text }} {{ index }}"}
  tell:
    needs: ask
    foreach: ask
    call: x.y
    with: {said: "{{ item.answer }}"}
outputs:
  first: "{{ ask[0].answer }}"
"""
FRONT = '{"description": "d", "model": "m", "output": {"properties": {"answer": {}}}}'
ASK = read_prompt("ask", f"---\n{FRONT}\n---\n{{{{ text }}}} {{{{ item }}}}", "ask.md.j2", {})


def problems_of(text: str) -> list[tuple[int, str]]:
    try:
        read_flow(text, "flows/f.yaml", {"ask": ASK})
    except SourceProblems as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []


def test_a_sound_map_has_no_problems() -> None:
    assert problems_of(SOUND) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("in: load", "in: lod", 10, "'lod' is undefined; did you mean 'load'?"),
        ("in: load", "in: item", 10, "'item' is there only in `with` and the prompt of a step"),
        ("in: load", "in: tell", 10, "'tell' has not finished here; add it to `needs`"),
        ("in: load", "in: load |", 10, "is not valid"),
        ("in: load", 'in: "{}"', 9, "`{}` is a dict; `foreach` takes an expression for a list"),
        ("in: load", "in: range(10001)", 9, "has 10,001 items; a step takes at most 10,000"),
        ("load | length > 1", "index > 1", 8, "'index' is there only in `with` and the prompt"),
        ("10%", "110%", 12, "steps.ask.foreach.tolerate: this is a number of items, or a share"),
        ("max_parallel: 3", "max_parallel: 0", 11, "greater than or equal to 1"),
        ("in: load", "of: load", 9, "steps.ask.foreach.in: missing; add it"),
        ("foreach: ask", "foreach: [1, 2]", 17, "steps.tell.foreach: this is an expression for"),
        ("ask[0].answer", "ask.answer", 21, "write `ask | map(attribute='answer') | list` or"),
        ("  load:", "  index:\n    call: x.y\n  load:", 4, "rename the step"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(
    before: str, after: str, line: int, message: str
) -> None:
    assert before in SOUND
    found = problems_of(SOUND.replace(before, after, 1))
    assert (line, True) in [(at, message in told) for at, told in found], found


def test_only_items_see_item_and_index() -> None:
    [(line, message)] = problems_of(SOUND.replace("    foreach: ask\n", ""))
    assert (line, message.partition(" is")[0]) == (18, "'item'")
