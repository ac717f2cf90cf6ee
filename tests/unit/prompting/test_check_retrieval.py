"""What is wrong with searches is told with file and line before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.retrieval.collection import Collection
from shared.prompting.library import read_flow, read_library
from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import SourceProblems

DOCS = {"docs": Collection(collection="docs", metadata={"kind": "string"})}
HEAD = "flow: f\non: {event: a.b}\nsteps:\n"


@pytest.mark.parametrize(
    ("step", "line", "said"),
    [
        ("retrieve: {collection: dogs, query: x}", 5, "no collection 'dogs'.*docs"),
        ("retrieve: {collection: docs, query: x, where: {colour: 1}}", 5, "no metadata 'colour'"),
        ("retrieve: {collection: docs, query: '{{ other.text }}'}", 5, "'other' is undefined"),
        ("retrieve: {collection: docs, query: x, top_k: 0}", 5, "greater than or equal to 1"),
        ("embed: {collection: dogs, texts: '{{ event.data }}'}", 5, "no collection 'dogs'"),
        (
            "action: collection.remove\n    with: {collection: dogs, document: d, at: t}",
            6,
            "no collection 'dogs'",
        ),
    ],
)
def test_a_step_that_searches_what_is_not_there_is_told(step: str, line: int, said: str) -> None:
    with pytest.raises(SourceProblems, match=rf"f\.yaml:{line}: .*{said}"):
        read_flow(f"{HEAD}  s:\n    {step}\n", "f.yaml", {}, None, {}, DOCS)


FIND = "collection: %s, as: find, description: d%s"


@pytest.mark.parametrize(
    ("tools", "line", "said"),
    [
        (FIND % ("dogs", ""), 7, "no collection 'dogs'.*docs"),
        (FIND % ("docs", ", where: {colour: 1}"), 7, "no metadata 'colour'"),
        (FIND % ("docs", ", where: {kind: '{{ other.text }}'}"), 7, "'other' is undefined"),
        (FIND % ("docs", ", query: x"), 7, "query"),
        (FIND % ("docs", ", approval: always"), 7, "approval"),
        ("collection: docs, as: no-1 name, description: d", 7, "pattern"),
        ("collection: docs, as: find", 7, "description"),
        (FIND % ("docs", "") + "}\n      - {" + FIND % ("docs", ""), 7, "the tool 'find' twice"),
        ("collektion: docs", 7, "tool"),
    ],
)
def test_an_agent_that_searches_what_is_not_there_is_told(tools: str, line: int, said: str) -> None:
    prompts = {"p": read_prompt("p", "---\ndescription: d\nmodel: m\n---\nHi", "p", {})}
    text = f"{HEAD}  s:\n    agent: p\n    tools:\n      - {{{tools}}}\n"
    with pytest.raises(SourceProblems, match=rf"f\.yaml:{line}: .*{said}"):
        read_flow(text, "f.yaml", prompts, None, {}, DOCS)


def test_a_step_sees_what_a_search_gives() -> None:
    text = f"{HEAD}  a: {{retrieve: {{collection: docs, query: x}}}}\n"
    more = "  b: {needs: a, action: log.write, with: {message: '{{ a.hits }}'}}\n"
    with pytest.raises(SourceProblems, match="'a' has no 'hits'; it has chunks, query, tokens"):
        read_flow(text + more, "f.yaml", {}, None, {}, DOCS)


def test_a_flow_is_pinned_to_the_collections_it_names() -> None:
    text = f"{HEAD}  a: {{retrieve: {{collection: docs, query: x}}}}\n"
    more = {**DOCS, "other": Collection(collection="other")}
    version = read_flow(text, "f.yaml", {}, None, {}, more)
    assert set(version.collections) == {"docs"}
    changed = {"docs": Collection(collection="docs", dimensions=32, metadata={"kind": "string"})}
    assert read_flow(text, "f.yaml", {}, None, {}, changed).version != version.version
    any_of_them = text + "  e: {embed: {collection: '{{ event.data }}', texts: [x]}}\n"
    assert set(read_flow(any_of_them, "f.yaml", {}, None, {}, more).collections) == {
        "docs",
        "other",
    }


def test_a_prompt_that_searches_what_is_not_there_is_told_with_its_line() -> None:
    text = "---\ndescription: d\nmodel: m\nretrieve:\n  collection: dogs\n  query: x\n---\nHi"
    with pytest.raises(SourceProblems, match=r"p\.md\.j2:5: there is no collection 'dogs'"):
        read_prompt("p", text, "p.md.j2", {}, DOCS)


def test_the_version_of_a_prompt_that_does_not_search_is_what_it_was() -> None:
    text = "---\ndescription: d\nmodel: m\n---\nHi"
    assert read_prompt("p", text, "p.md.j2", {}).version == "36cdff0555ee1303"


def test_a_prompt_reads_what_its_search_reads_and_is_given_what_it_finds() -> None:
    text = "---\ndescription: d\nmodel: m\nretrieve: {collection: docs, query: '{{ q }}'}\n---\n"
    prompt = read_prompt("p", text + "{{ retrieved }}{{ x }}", "p.md.j2", {}, DOCS)
    assert prompt.references == {"q", "x"}


def test_a_collection_is_named_as_its_file_and_told_where_it_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "collections"
    folder.mkdir()
    (folder / "a.yaml").write_text("collection: b\n", "utf-8")
    (folder / "c.yaml").write_text("collection: c\nsplit:\n  tokens: 3\n", "utf-8")
    told = [str(problem) for problem in read_library(tmp_path).problems]
    name = tmp_path.name
    assert told == [
        f"{name}/collections/a.yaml:1: the collection is called 'b'; name the file after it",
        f"{name}/collections/c.yaml:3: split.tokens: Input should be greater than or equal to 16",
    ]
