"""What is written on a node: it fits, and nothing of it is lost."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from shared.cli.graph.card import WIDEST, Face, card_of, folded, shortened, written
from shared.cli.graph.model import Node, Note, State


@pytest.mark.parametrize(
    "name", ["a", "x" * 63, "a_name_of_many_words_that_goes_on_and_on_a_while"]
)
def test_a_name_is_broken_but_never_cut(name: str) -> None:
    card = card_of(Node(name, "prompt", name, "p"))
    lines = [line.text for line in card.lines if line.face is Face.NAME]
    assert "".join(lines) == name
    assert card.width <= WIDEST


def test_a_long_condition_is_shortened_and_told_in_full_elsewhere() -> None:
    condition = "event.data.total > 100 and " * 6 + "true"
    card = card_of(Node("a", "action", "a", "log.write", (Note("when", condition),)))
    shown = [line.text for line in card.lines if line.face is Face.CODE]
    assert len(shown) == 3
    assert shown[-1].endswith("…")
    assert condition in card.full


def test_many_notes_are_counted_and_told_in_full_elsewhere() -> None:
    notes = tuple(Note(f"out_{number}", "x") for number in range(9))
    card = card_of(Node("$end", "end", "outputs", notes=notes))
    assert card.lines[-1].text == "… 4 more"
    assert "out_8 x" in card.full


def test_a_state_is_told_by_a_sign_and_a_word() -> None:
    state = State("failed", ("1.2 s",), "ModelBusy: busy")
    card = card_of(Node("a", "action", "a", state=state))
    assert [line.text for line in card.lines[-2:]] == ["✗ failed 1.2 s", "ModelBusy: busy"]


def test_lines_lie_inside_their_card_one_below_the_other() -> None:
    state = State("succeeded", ("1 s", "7→3 tokens"))
    card = card_of(Node("a" * 60, "action", "a" * 60, "u", (Note("when", "x"),), state))
    heights = [line.y for line in card.lines]
    assert heights == sorted(set(heights))
    assert 0 < heights[0] < heights[-1] < card.height


@pytest.mark.parametrize("text", ["x" * 90, "漢字" * 40, "a b " * 30])
def test_a_shortened_text_fits_its_room(text: str) -> None:
    assert cell_len(shortened(text, Face.CODE, 240)) <= 240 / 6.7
    assert all(cell_len(line) <= 240 / 6 for line in folded(text, 240, 2, em=6))


def test_what_no_document_may_hold_is_replaced() -> None:
    assert written("a\x00b\ud800c\u202ed\ufffe") == "a\ufffdb\ufffdc\ufffdd\ufffd"
