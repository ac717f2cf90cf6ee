"""Cuts a document into chunks: whole paragraphs as far as they fit, none of its words lost.

Pure: the same text and settings give the same chunks and the same ids.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.domain.ids import digest
from shared.domain.retrieval.collection import Split

_BYTES = 4  # of UTF-8 that are taken for a token
_HEADING = re.compile(r"#{1,6} ")
_FENCE = re.compile(r" {0,3}(```|~~~)")
# Where a piece that does not fit may be cut, the best place first.
_SEAMS = (re.compile(r"(?<=\n)\n+"), re.compile(r"\n+"), re.compile(r"(?<=[.!?])\s+"))
_WORDS = re.compile(r"\s+")


@dataclass(frozen=True)
class Chunk:
    """A part of a document. `text` begins with what overlaps with the chunk before."""

    id: str
    text: str
    position: int

    @property
    def key(self) -> str:
        """Of its text alone: chunks that read the same have the same vector."""
        return digest("text", self.text)


def tokens_in(text: str) -> int:
    """About how many tokens a text has: a rule, which asks no model."""
    return -(-len(text.encode()) // _BYTES)


def chunks_of(document: str, text: str, split: Split) -> list[Chunk]:
    """The chunks of a document in order, each of at most `split.tokens`; blank parts are none."""
    seen: Counter[str] = Counter()
    chunks: list[Chunk] = []
    before = ""
    for part in parts_of(text, split):
        if not part.strip():
            continue
        whole = (_tail(before, split.overlap) + part).strip()
        name = digest("chunk", document, whole, str(seen[whole]), length=16)
        seen[whole] += 1
        chunks.append(Chunk(name, whole, len(chunks)))
        before = part
    return chunks


def parts_of(text: str, split: Split) -> list[str]:
    """The text in parts that give it again when they are put together."""
    room = split.tokens - split.overlap
    sections = _sections(text) if split.by == "headings" else [text]
    return [part for section in sections for part in _packed(section, room, _SEAMS)]


def _packed(text: str, room: int, seams: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Parts of at most `room` tokens, cut at the best seams that make them fit."""
    if tokens_in(text) <= room:
        yield from [text] if text else []
        return
    pieces = _cut(text, seams[0]) if seams else list(_words(text, room))
    held = ""
    for piece in pieces:
        if tokens_in(held + piece) <= room:
            held += piece
            continue
        if held:
            yield held
        *full, held = [piece] if tokens_in(piece) <= room else _packed(piece, room, seams[1:])
        yield from full
    if held:
        yield held


def _cut(text: str, seam: re.Pattern[str]) -> list[str]:
    """The text in pieces, each with the seam that it ends in."""
    ends = [match.end() for match in seam.finditer(text)]
    starts = [0, *ends]
    return [text[a:b] for a, b in zip(starts, [*ends, len(text)], strict=True) if a < b]


def _words(text: str, room: int) -> Iterator[str]:
    """Words with the space behind them; one that is too long for any chunk is cut anywhere."""
    for word in _cut(text, _WORDS):
        if tokens_in(word) <= room:
            yield word
        else:  # no character has more than four bytes
            yield from (word[at : at + room] for at in range(0, len(word), room))


def _sections(text: str) -> list[str]:
    """Each heading with what is below it; a line in a fence of code is none."""
    sections = [""]
    fence: str | None = None
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark is not None and fence in {None, mark[1]}:
            fence = mark[1] if fence is None else None
        if fence is None and _HEADING.match(line) and sections[-1]:
            sections.append("")
        sections[-1] += line
    return sections


def _tail(text: str, most: int) -> str:
    """The end of a text, from the beginning of a word."""
    if not most:
        return ""
    words = _cut(text, _WORDS)
    kept = ""
    while words and tokens_in(words[-1] + kept) <= most:
        kept = words.pop() + kept
    return kept
