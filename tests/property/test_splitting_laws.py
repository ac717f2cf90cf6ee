"""Laws of cutting documents: nothing is lost or too long, and the same is always the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retrieval.collection import Split
from shared.domain.retrieval.searches import Found, within_budget
from shared.domain.retrieval.splitting import chunks_of, parts_of, tokens_in

PIECES = st.sampled_from(
    [
        "word ",
        "a. ",
        "\n",
        "\n\n",
        "# Heading\n",
        "```\n",
        "é",
        "日本語",
        "🙂",
        " ",
        "x" * 90,
        "End.\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
SPLITS = st.builds(
    lambda by, tokens, overlap: Split(by=by, tokens=tokens, overlap=min(overlap, tokens // 2)),
    st.sampled_from(["paragraphs", "headings"]),
    st.integers(16, 60),
    st.integers(0, 30),
)


@given(TEXTS, SPLITS)
def test_the_parts_of_a_text_give_it_again(text: str, split: Split) -> None:
    parts = parts_of(text, split)
    assert "".join(parts) == text
    assert all(parts)


@given(TEXTS, SPLITS)
def test_chunks_are_never_longer_than_asked_and_hold_every_word(text: str, split: Split) -> None:
    chunks = chunks_of("d", text, split)
    assert all(tokens_in(chunk.text) <= split.tokens for chunk in chunks)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    for part in parts_of(text, split):
        if part.strip():
            assert any(part.strip() in chunk.text for chunk in chunks)


@given(TEXTS, SPLITS)
def test_what_is_repeated_is_the_end_of_the_chunk_before_and_is_bounded(
    text: str, split: Split
) -> None:
    parts = [part for part in parts_of(text, split) if part.strip()]
    chunks = chunks_of("d", text, split)
    for before, part, chunk in zip(parts, parts[1:], chunks[1:], strict=False):
        repeated = chunk.text.removesuffix(part.strip()).strip()
        assert repeated in before
        assert tokens_in(repeated) <= split.overlap


@given(TEXTS, SPLITS)
def test_ids_follow_from_document_and_text_alone(text: str, split: Split) -> None:
    first, again = chunks_of("d", text, split), chunks_of("d", text, split)
    assert first == again
    assert len({chunk.id for chunk in first}) == len(first)
    others = {chunk.id for chunk in chunks_of("e", text, split)}
    assert others.isdisjoint({chunk.id for chunk in first})


@given(
    st.lists(
        st.text("ab", max_size=40).map(lambda t: Found(id="i", document="d", text=t, score=0))
    ),
    st.integers(1, 40),
)
def test_a_token_budget_keeps_the_best_whole_and_as_many_as_fit(
    found: list[Found], most: int
) -> None:
    kept = within_budget(found, most)
    assert kept == found[: len(kept)]
    assert sum(tokens_in(one.text) for one in kept) <= most
    if len(kept) < len(found):
        assert sum(tokens_in(one.text) for one in found[: len(kept) + 1]) > most
