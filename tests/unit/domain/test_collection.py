"""What a collection's file may say, how documents are cut, and which citations are good."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.retrieval.collection import Collection, Split
from shared.domain.retrieval.searches import citation_problem
from shared.domain.retrieval.splitting import chunks_of

MARKDOWN = """Before all.

# One

Some text.

```
# no heading
```

## Two

More text.
"""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"collection": "Docs"}, "should match pattern"),
        ({"dimensions": 3072}, "less than or equal to 2048"),
        ({"split": {"tokens": 100, "overlap": 51}}, "at most half"),
        ({"metadata": {"a.b": "string"}}, "use a-z, 0-9 and _"),
        ({"splitting": {}}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Collection(**{"collection": "docs", **fields})


def test_a_chunk_begins_at_each_heading_and_not_in_code() -> None:
    chunks = chunks_of("d", MARKDOWN, Split(by="headings"))
    assert [chunk.text.splitlines()[0] for chunk in chunks] == ["Before all.", "# One", "## Two"]
    assert "# no heading" in chunks[1].text


def test_paragraphs_are_kept_together_as_far_as_they_fit() -> None:
    text = "\n\n".join(f"Paragraph {n}, which has about ten tokens." for n in range(6))
    chunks = chunks_of("d", text, Split(tokens=24))
    assert [chunk.text.count("Paragraph") for chunk in chunks] == [2, 2, 2]


def test_a_paragraph_that_does_not_fit_is_cut_between_sentences() -> None:
    text = "The first sentence is here. The second one follows it. The third one ends it all."
    chunks = chunks_of("d", text, Split(tokens=16))
    assert [chunk.text[-1] for chunk in chunks] == ["."] * len(chunks)
    assert len(chunks) == 2


def test_the_end_of_a_chunk_is_repeated_in_the_next_one() -> None:
    text = "One two three four five six seven eight nine. " * 3
    first, second, *_ = chunks_of("d", text, Split(tokens=20, overlap=8))
    assert second.text.split(". ")[0].split()[-1] == first.text.rstrip(".").split()[-1]


def test_nothing_is_a_chunk_of_a_blank_document() -> None:
    assert chunks_of("d", " \n\n\t", Split()) == []


SCHEMA = {"type": "object", "properties": {"sources": {"type": "array"}}}


@pytest.mark.parametrize(
    ("schema", "answer", "said"),
    [
        (SCHEMA, {"sources": ["a", "b"]}, None),
        (SCHEMA, {"sources": []}, None),
        (SCHEMA, {}, None),
        ({"type": "object"}, {"sources": ["x"]}, None),
        (SCHEMA, {"sources": ["a", "x"]}, "cites 1 sources that were not retrieved"),
        (SCHEMA, {"sources": ["x", {"id": "a"}]}, "those retrieved are: a, b"),
    ],
)
def test_an_answer_may_cite_what_was_retrieved(
    schema: dict[str, Any], answer: dict[str, Any], said: str | None
) -> None:
    problem = citation_problem(schema, answer, frozenset({"a", "b"}))
    assert problem is None if said is None else said in str(problem)
