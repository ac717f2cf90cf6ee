"""What undoes a step is checked before a run ever needs it, with the line and what to do."""

from __future__ import annotations

import pytest

from tests.unit.prompting.test_check import problems_of

SOUND = """\
flow: f
on: {event: order.paid}
steps:
  sort:
    prompt: support/sort
    with: {text: hi}
    compensate: {call: crm.find, retry: {attempts: 3}, on_error: continue}
  book:
    needs: sort
    action: log.write
    with: {message: m}
    compensate:
      prompt: support/sort
      with: {text: "{{ book.severity }} {{ sort.category }} {{ later[0].category }}"}
  later:
    foreach: "[1, 2]"
    needs: book
    prompt: support/sort
    with: {text: hi}
    compensate:
      action: http.request
      with:
        url: "https://x.com/{{ item }}/{{ index }}/{{ later.category }}"
  last: {compensate: {call: crm.find}, call: crm.find}
"""


def test_a_sound_compensation_has_no_problems() -> None:
    assert problems_of(SOUND) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("{call: crm.find,", "{call: crm.fnd,", 7, "no function is registered as 'crm.fnd'"),
        ("{call: crm.find,", "{call: crm.find, prompt: free,", 7, "exactly one of: prompt, act"),
        ("{call: crm.find,", "{flow: other,", 7, "flow: unknown key"),
        ("on_error: continue", "on_error: {goto: x}", 7, "continue"),
        ("  prompt: support/sort\n      with", "  prompt: nobody\n      with", 13, "no prompt"),
        ("{{ sort.category }}", "{{ sort.kind }}", 14, "'sort' has no 'kind'"),
        ("{{ sort.category }}", "{{ srt }}", 14, "'srt' is undefined; did you mean 'sort'?"),
        ("{{ sort.category }}", "{{ item }}", 14, "'item' is there only in `with`"),
        ("later[0].category", "later.category", 14, "is a list, with an output for each item"),
        ("{{ later.category }}", "{{ later.x }}", 23, "'later' has no 'x'"),
        ("action: http.request", "action: http.reqest", 21, "there is no action 'http.reqest'"),
        ("        url:", "        address: x\n        url:", 23, "http.request takes no 'address'"),
        ("flow: f\n", f"flow: {'f' * 59}\n", 1, "has a name of at most 58 characters"),
        ("  last:", f"  {'b' * 59}:", 24, "has a name of at most 58 characters"),
        ("  last:", "  undo_last:", 24, "names that begin with 'undo_' are those of"),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, line: int, message: str) -> None:
    assert SOUND.count(before) == 1
    found = problems_of(SOUND.replace(before, after))
    assert [told for told in found if told[0] == line and message in told[1]], found
