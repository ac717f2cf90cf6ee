"""A mapped step: its list, its record, and the messages of its items.

Decides which items are sent and with what; what their ends mean is decided in `items`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import Scope
from shared.domain.chain import StepStatus
from shared.domain.envelope import Message, Place
from shared.domain.expressions import evaluate
from shared.domain.foreach import MAX_ITEMS, ForEach
from shared.domain.instances import Instance
from shared.domain.mapped import Mapped
from shared.domain.records import StepRecord, step_path
from shared.errors import ExpressionError, MapInvalidError, OutputTooLargeError
from shared.ports import Document

_AT_ONCE = 100  # messages made and sent, or records read, together


class Maps:
    """The mapped steps of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    def declared(self, step: str) -> ForEach:
        foreach = self._scope.version.flow.steps[step].foreach
        assert foreach is not None
        return foreach

    def items(self, step: str, variables: Mapping[str, Any]) -> list[Any]:
        """The items. Raises ExpressionError, MapInvalidError, OutputTooLargeError."""
        source = self.declared(step).source
        values = evaluate(source, variables)
        if not isinstance(values, list | tuple):
            raise MapInvalidError(f"`{source}` is a {type(values).__name__}")
        if len(values) > MAX_ITEMS:
            raise MapInvalidError(f"`{source}` has {len(values):,} items")
        try:
            require_fitting(list(values), f"the list of step {step!r}")
        except (TypeError, ValueError) as error:
            raise MapInvalidError(f"`{source}` is no JSON: {error}") from error
        undone = self._scope.version.undone_by(step)
        if undone is None:
            return list(values)
        if undone.indexes[-1] >= len(values):
            raise MapInvalidError(f"`{source}` has fewer items than it had in the run it undoes")
        return [values[index] for index in undone.indexes]

    async def record(self, step: str, variables: Mapping[str, Any]) -> StepRecord:
        """A map that begins, or one of no items, which has ended with it. Raises as `items`."""
        try:
            values = self.items(step, variables)
        except (ExpressionError, MapInvalidError, OutputTooLargeError) as error:
            error.detail = f"`foreach`: {error.detail}"
            raise
        return self._record(step, values)

    def has_begun(self, found: StepRecord) -> bool:
        """False where it could not begin at first, and is tried again after a redrive."""
        return found.mapped is not None

    def anew(self, fresh: StepRecord, found: StepRecord) -> StepRecord:
        """What takes the place of the record of one that has not begun."""
        return fresh.model_copy(update={"attempts": found.attempts})

    async def begun(self, record: StepRecord, variables: Mapping[str, Any]) -> None:
        """Sends the items that the map begins with, unless somebody is about to continue it."""
        if record.status is StepStatus.RUNNING and not record.held:
            assert record.mapped is not None
            await self.send_first(record.step, record.mapped, variables)

    def _record(self, step: str, values: Sequence[Any]) -> StepRecord:
        now = self._deps.clock.now()
        begun = StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=step,
            stage=self._deps.stage.name,
            started_at=now,
            mapped=Mapped(size=len(values), values=list(values)),
            expire_at=self._deps.expire_at(),
        )
        if values:
            return begun
        ended = {"status": StepStatus.SUCCEEDED, "output": [], "finished_at": now}
        return begun.model_copy(update={**ended, "mapped": Mapped(size=0)})

    async def send_first(self, step: str, mapped: Mapped, variables: Mapping[str, Any]) -> None:
        """Sends the items that the map begins with."""
        first = mapped.first(self.declared(step).max_parallel)
        await self.send(step, mapped, first, variables)

    def after(self, step: str, mapped: Mapped, index: int) -> int | None:
        """The item that is sent when this one has ended."""
        return mapped.after(index, self.declared(step).max_parallel)

    async def send(
        self, step: str, mapped: Mapped, indexes: Sequence[int], variables: Mapping[str, Any]
    ) -> None:
        """Sends these items, or opens their children, a bounded number at a time."""
        has_children = self._scope.version.flow.is_opened(step)
        for at in range(0, len(indexes), _AT_ONCE):
            some = indexes[at : at + _AT_ONCE]
            if has_children:
                await self._open(step, mapped, some, variables)
                continue
            pairs = [self.message(Instance(step, index), mapped, variables) for index in some]
            await self._deps.bus.publish(pairs[0][0], [message for _, message in pairs])

    async def _open(
        self, step: str, mapped: Mapped, indexes: Sequence[int], variables: Mapping[str, Any]
    ) -> None:
        from shared.delivery.children.opening import Children, Item  # noqa: PLC0415 - few flows have any

        items = [
            Item(
                Instance(step, index),
                self._known(step, mapped, index, variables),
                self._place(step, mapped, index),
            )
            for index in indexes
        ]
        await Children(self._deps, self._scope).open_items(items)

    def message(
        self, item: Instance, mapped: Mapped, variables: Mapping[str, Any], resumes: int = 0
    ) -> tuple[str, Message]:
        """(topic, message) of an item."""
        assert item.index is not None
        known = self._known(item.step, mapped, item.index, variables)
        place = self._place(item.step, mapped, item.index)
        return self._scope.hand_over(str(item), known, place, resumes)

    def _known(
        self, step: str, mapped: Mapped, index: int, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What an item sees; one that undoes another has that one's index."""
        assert mapped.values is not None
        undone = self._scope.version.undone_by(step)
        shown = index if undone is None else undone.indexes[index]
        return {**variables, "item": mapped.values[index], "index": shown}

    def _place(self, step: str, mapped: Mapped, index: int) -> Place:
        return Place(size=mapped.size, next=self.after(step, mapped, index))

    async def records(self, step: str, size: int) -> list[Document | None]:
        """The records of all items, in order."""
        run = self._scope.run.id
        found: list[Document | None] = []
        for at in range(0, size, _AT_ONCE):
            some = range(at, min(at + _AT_ONCE, size))
            paths = [step_path(run, str(Instance(step, index))) for index in some]
            found.extend(await self._deps.store.get_many(paths))
        return found
