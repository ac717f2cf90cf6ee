"""The state of one run, as one attempt at one step reads and edits it.

Edits are functions, applied in the commit of the step's result and nowhere else: an attempt that
comes to nothing leaves none, and one whose result is recorded leaves each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from shared.domain.run_notes import StateRecord, state_path
from shared.errors import SegueError, StateInvalidError
from shared.ports import Create, Document, Update, Write
from shared.typed.work import Work

State = TypeVar("State", bound=BaseModel)
Edit = Callable[[State], State]


class StateInHand(Generic[State]):
    """The state as it is stored, and what is to become of it."""

    def __init__(self, model: type[State], work: Work) -> None:
        self._model = model
        self._work = work
        self._edits: list[Edit[State]] = []
        self._tried: Write | None = None

    @property
    def is_edited(self) -> bool:
        return bool(self._edits)

    def edit(self, edit: Edit[State]) -> None:
        """Takes a note of it."""
        if not self._edits:
            self._work.put_beside(self.writes)
        self._edits.append(edit)

    async def read(self) -> State:
        """As it is now, with the edits of this attempt. Raises StateInvalidError."""
        return self._edited(self._state_of(await self._stored()))

    async def try_out(self) -> None:
        """Applies the edits to the state as it is now: whatever they raise is the step's failure.

        The write that comes of it is the first that `writes` gives.
        """
        found = await self._stored()
        self._tried = self._write(found, self._edited(self._state_of(found)))

    async def writes(self) -> Sequence[Write]:
        """The edits, applied to the state as it is. Raises StateInvalidError where they do not fit.

        The write holds only while the state is as it was read.
        """
        tried, self._tried = self._tried, None
        if tried is not None:
            return [tried]
        found = await self._stored()
        try:
            edited = self._edited(self._state_of(found))
        except SegueError:
            raise
        except Exception as error:  # it is code of the flow's own, and may raise anything
            raise StateInvalidError(self._told(f"{type(error).__name__}: {error}")) from error
        return [self._write(found, edited)]

    async def _stored(self) -> Document | None:
        return await self._work.store.get(state_path(self._work.run_id))

    def _state_of(self, found: Document | None) -> State:
        if found is None:
            return self._model()
        try:
            return self._model.model_validate(StateRecord.of(found.data).state)
        except ValidationError as error:
            raise StateInvalidError(self._told(f"it is no {self._model.__name__}")) from error

    def _edited(self, state: State) -> State:
        for edit in self._edits:
            state = edit(state)
            if not isinstance(state, self._model):
                kind = type(state).__name__
                raise StateInvalidError(
                    self._told(f"an edit gives {kind}, not {self._model.__name__}")
                )
        return state

    def _write(self, found: Document | None, state: State) -> Write:
        before = StateRecord.of(found.data).edits if found is not None else 0
        record = StateRecord(
            state=state.model_dump(mode="json"),
            edits=before + len(self._edits),
            expire_at=self._work.expire_at(),
        )
        path = state_path(self._work.run_id)
        if found is None:
            return Create(path, record.document())
        return Update(path, record.document(), found.revision)

    def _told(self, problem: str) -> str:
        return f"the state of run {self._work.run_id}, at step {self._work.step!r}: {problem}"
