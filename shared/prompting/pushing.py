"""Changes of the prompt registry: versions are added, labels are moved, and every move is kept.

A push or a move is one commit that the prompt's head fences: of two at once, one is done again on
top of the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from shared.domain.prompts.records import (
    LabelMove,
    PromptHead,
    PushedPrompt,
    head_path,
    move_path,
    version_path,
)
from shared.domain.prompts.refs import PromptRef, is_label, is_name
from shared.domain.version import PromptVersion
from shared.errors import Conflict, RefusedError, UsageError
from shared.ports import Create, Document, Store, Update, Write
from shared.prompting.registry import StoredPrompts

_TRIES = 20  # each time somebody else has changed the same prompt
_T = TypeVar("_T")


class RegistryRefusedError(UsageError):
    """Nothing was changed; `segue prompts show NAME` lists versions, labels and their moves."""


class RegistryBusyError(RefusedError):
    """Others keep changing this prompt. Nothing was changed; try again."""


@dataclass(frozen=True)
class By:
    """Who changes something, and when. No two changes of one person have the same time."""

    name: str
    at: datetime


@dataclass(frozen=True)
class Pushed:
    """What a push has come to. Not `is_new`: the content was there already, under this number."""

    version: PushedPrompt
    is_new: bool
    move: LabelMove | None = None


class PromptChanges:
    """Changes what `StoredPrompts` reads. Any call may raise StoreUnavailableError.

    What is done again after a lost answer is done once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._registry = StoredPrompts(store)

    async def push(
        self, prompt: PromptVersion, by: By, *, message: str = "", label: str | None = None
    ) -> Pushed:
        """Adds a version and, with `label`, moves that to it in the same commit.

        Raises RegistryRefusedError, RegistryBusyError, RecordTooLargeError.
        """
        if not is_name(prompt.name):
            told = "letters, digits, '.', '_' and '-', and slashes between them"
            raise RegistryRefusedError(f"the registry takes no name {prompt.name!r}: {told}")
        _require_label(label)

        async def attempt() -> Pushed:
            found = await self._store.get(head_path(prompt.name))
            same = await self._registry.pushed(PromptRef(prompt.name, prompt.version))
            draft = _Draft(prompt.name, found, by)
            version = same or draft.add(prompt, message)
            move = draft.move(label, version.number) if label is not None else None
            await self._commit(draft)
            return Pushed(version, same is None, move)

        return await _again(attempt, prompt.name)

    async def move(self, name: str, label: str, number: int, by: By) -> LabelMove | None:
        """Points a label at a version; None where it already does.

        Raises RegistryRefusedError where there is no such version, RegistryBusyError.
        """
        _require_label(label)

        async def attempt() -> LabelMove | None:
            draft = _Draft(name, await self._found(name), by)
            if not 1 <= number <= draft.head.latest:
                there = f"it has 1 to {draft.head.latest}"
                raise RegistryRefusedError(f"prompt {name!r} has no version {number}; {there}")
            moved = draft.move(label, number)
            await self._commit(draft)
            return moved

        return await _again(attempt, name)

    async def roll_back(self, name: str, label: str, by: By) -> LabelMove:
        """Points a label at what it pointed at before; a second time, at what was before that.

        Where it was never set before, it is unset. Raises RegistryRefusedError where there is
        nothing to go back to, RegistryBusyError.
        """

        async def attempt() -> LabelMove:
            found = await self._found(name)
            moves = [move for move in await self._registry.moves(name) if move.label == label]
            if moves and (moves[0].by, moves[0].at) == (by.name, by.at):
                return moves[0]  # the answer was lost
            past = _past(moves)
            if not past:
                told = f"label {label!r} of prompt {name!r} has nothing to go back to"
                raise RegistryRefusedError(told)
            draft = _Draft(name, found, by)
            moved = draft.write_move(label, past[-1], is_rollback=True)
            await self._commit(draft)
            return moved

        return await _again(attempt, name)

    async def _found(self, name: str) -> Document:
        found = await self._store.get(head_path(name)) if is_name(name) else None
        if found is None:
            raise RegistryRefusedError(f"no prompt {name!r} was ever pushed")
        return found

    async def _commit(self, draft: _Draft) -> None:
        if draft.writes:
            await self._store.commit([draft.head_write(), *draft.writes])


class _Draft:
    """Changes of one prompt in the making, on top of its head as it was found."""

    def __init__(self, name: str, found: Document | None, by: By) -> None:
        fresh = PromptHead(name=name, changed_at=by.at)
        self.head = PromptHead.of(found.data) if found is not None else fresh
        self.writes: list[Write] = []
        self._found = found
        self._by = by

    def add(self, prompt: PromptVersion, message: str) -> PushedPrompt:
        number = self.head.latest + 1
        self.head = self.head.model_copy(update={"latest": number})
        version = PushedPrompt(
            name=prompt.name,
            number=number,
            hash=prompt.version,
            prompt=prompt,
            message=message,
            pushed_by=self._by.name,
            pushed_at=self._by.at,
        )
        self.writes.append(Create(version_path(prompt.name, number), version.document()))
        return version

    def move(self, label: str, to: int) -> LabelMove | None:
        """None where the label is there already."""
        return None if self.head.labels.get(label) == to else self.write_move(label, to)

    def write_move(self, label: str, to: int | None, *, is_rollback: bool = False) -> LabelMove:
        number, before = self.head.moves + 1, self.head.labels.get(label)
        others = {name: at for name, at in self.head.labels.items() if name != label}
        labels = others if to is None else {**others, label: to}
        self.head = self.head.model_copy(update={"moves": number, "labels": labels})
        moved = LabelMove(
            number=number,
            label=label,
            version=to,
            before=before,
            by=self._by.name,
            at=self._by.at,
            is_rollback=is_rollback,
        )
        self.writes.append(Create(move_path(self.head.name, number), moved.document()))
        return moved

    def head_write(self) -> Write:
        changed = self.head.model_copy(update={"changed_at": self._by.at}).document()
        path = head_path(self.head.name)
        if self._found is None:
            return Create(path, changed)
        return Update(path, changed, self._found.revision)


def _past(moves: Sequence[LabelMove]) -> list[int | None]:
    """Where a label pointed before each move that still holds, the earliest first."""
    past: list[int | None] = []
    for move in reversed(moves):
        if move.is_rollback:
            past.pop()
        else:
            past.append(move.before)
    return past


def _require_label(label: str | None) -> None:
    if label is not None and not is_label(label):
        told = "small letters, digits, '_' and '-', a letter first"
        raise RegistryRefusedError(f"{label!r} is no label: {told}")


async def _again(attempt: Callable[[], Awaitable[_T]], name: str) -> _T:
    for _ in range(_TRIES):
        try:
            return await attempt()
        except Conflict:
            continue
    raise RegistryBusyError(f"prompt {name!r}", "busy")
