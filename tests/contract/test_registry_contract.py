"""The prompt registry on every store: numbers, labels, and who moved what."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.prompts.refs import PromptRef
from shared.domain.version import FrontMatter, PromptVersion
from shared.ports import Store
from shared.prompting.pushing import By, PromptChanges, RegistryRefusedError
from shared.prompting.registry import StoredPrompts

_moments = itertools.count()


def by(name: str = "ada") -> By:
    return By(name, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_moments)))


@pytest.fixture
def name() -> str:
    return f"support/{uuid.uuid4().hex}"


def saying(name: str, body: str) -> PromptVersion:
    head = FrontMatter(description="Says.", model="m", output={"type": "object"})
    return PromptVersion(name=name, head=head, body=body, partials={"_partials/a.md.j2": "[[1]]"})


async def pointed(store: Store, name: str) -> dict[str, int]:
    labels = await StoredPrompts(store).pointed([PromptRef(name)])
    assert labels.is_all
    return {ref.at: number for ref, number in labels.pointed.items() if ref.name == name}


async def test_what_was_pushed_is_read_by_number_by_hash_and_by_label(
    store: Store, name: str
) -> None:
    changes, registry = PromptChanges(store), StoredPrompts(store)
    one, two = saying(name, "one"), saying(name, "two")
    assert (await changes.push(one, by(), message="first")).version.number == 1
    pushed = await changes.push(two, by("bob"), label="staging")
    assert (pushed.version.number, pushed.is_new) == (2, True)
    assert await registry.version(PromptRef(name, "1")) == one
    assert await registry.version(PromptRef(name, two.version)) == two
    assert await pointed(store, name) == {"staging": 2}
    found = await registry.pushed(PromptRef(name, "staging"))
    assert found is not None
    assert (found.prompt, found.hash, found.pushed_by) == (two, two.version, "bob")
    assert [version.number for version in await registry.versions(name)] == [2, 1]
    assert [head.latest for head in await registry.heads() if head.name == name] == [2]


async def test_what_is_not_there_is_none(store: Store, name: str) -> None:
    registry = StoredPrompts(store)
    for at in ("1", "production", "0123456789abcdef"):
        assert await registry.pushed(PromptRef(name, at)) is None
    assert await registry.head(name) is None
    assert await registry.version(PromptRef("no name:", "1")) is None


async def test_the_same_content_keeps_its_number(store: Store, name: str) -> None:
    changes = PromptChanges(store)
    await changes.push(saying(name, "one"), by())
    await changes.push(saying(name, "two"), by())
    again = await changes.push(saying(name, "one"), by("bob"), label="production")
    assert (again.version.number, again.is_new, again.version.pushed_by) == (1, False, "ada")
    assert await pointed(store, name) == {"production": 1}
    assert len(await StoredPrompts(store).versions(name)) == 2


async def test_two_who_push_at_once_get_different_numbers(store: Store, name: str) -> None:
    changes = PromptChanges(store)
    pushes = [changes.push(saying(name, f"{n}"), by(f"p{n}"), label="staging") for n in range(4)]
    done = await asyncio.gather(*pushes)
    assert sorted(one.version.number for one in done) == [1, 2, 3, 4]
    bodies = {
        version.number: version.prompt.body for version in await StoredPrompts(store).versions(name)
    }
    assert bodies == {one.version.number: one.version.prompt.body for one in done}
    moves = await StoredPrompts(store).moves(name)
    assert [move.number for move in moves] == [4, 3, 2, 1]
    assert [move.before for move in moves] == [move.version for move in moves[1:]] + [None]


async def test_a_label_goes_back_step_by_step_and_every_move_is_kept(
    store: Store, name: str
) -> None:
    changes = PromptChanges(store)
    for body in "abc":
        await changes.push(saying(name, body), by(), label="production")
    await changes.push(saying(name, "a"), by(), label="staging")
    back = [(await changes.roll_back(name, "production", by("bob"))).version for _ in range(3)]
    assert back == [2, 1, None]
    assert await pointed(store, name) == {"staging": 1}
    with pytest.raises(RegistryRefusedError, match="nothing to go back to"):
        await changes.roll_back(name, "production", by())
    told = [
        (move.label, move.version, move.before, move.by, move.is_rollback)
        for move in await StoredPrompts(store).moves(name)
    ]
    assert told == [
        ("production", None, 1, "bob", True),
        ("production", 1, 2, "bob", True),
        ("production", 2, 3, "bob", True),
        ("staging", 1, None, "ada", False),
        ("production", 3, 2, "ada", False),
        ("production", 2, 1, "ada", False),
        ("production", 1, None, "ada", False),
    ]


async def test_a_rollback_done_again_after_a_lost_answer_goes_back_once(
    store: Store, name: str
) -> None:
    changes, same = PromptChanges(store), by("bob")
    for body in "ab":
        await changes.push(saying(name, body), by(), label="production")
    first = await changes.roll_back(name, "production", same)
    assert await changes.roll_back(name, "production", same) == first
    assert await pointed(store, name) == {"production": 1}


async def test_what_cannot_be_done_is_told_and_changes_nothing(store: Store, name: str) -> None:
    changes = PromptChanges(store)
    with pytest.raises(RegistryRefusedError, match="was ever pushed"):
        await changes.move(name, "production", 1, by())
    await changes.push(saying(name, "one"), by(), label="production")
    assert await changes.move(name, "production", 1, by()) is None
    with pytest.raises(RegistryRefusedError, match="no version 2; it has 1 to 1"):
        await changes.move(name, "production", 2, by())
    with pytest.raises(RegistryRefusedError, match="no label"):
        await changes.move(name, "7", 1, by())
    with pytest.raises(RegistryRefusedError, match="takes no name"):
        await changes.push(saying("a:b", "one"), by())
    assert len(await StoredPrompts(store).moves(name)) == 1
