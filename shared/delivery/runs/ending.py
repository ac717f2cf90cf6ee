"""How a run ends: its outputs, and the one write that ends it while it is still as it was.

Decides nothing about when; whoever finds that the run is over asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.aftermath import ended_message, must_hear
from shared.delivery.scope import Scope
from shared.delivery.telling import tell_ended
from shared.domain.events import MAX_DATA_BYTES, MAX_DEPTH, REDRIVE, count_in, is_shallow
from shared.domain.expressions import fill, names
from shared.domain.records import Failure, RunRecord, RunStatus, run_path
from shared.errors import ExpressionError, OutputTooLargeError, StaleError
from shared.ports import Update

Variables = Mapping[str, Any]


class RunEnd:
    """The end of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope
        self._untold: RunStatus | None = None

    def write(self, variables: Variables, revision: str) -> Update:
        """The write that ends the run with its outputs, if it is still at `revision`."""
        try:
            ending: dict[str, Any] = {
                "status": RunStatus.SUCCEEDED,
                "outputs": self._outputs(variables),
            }
        except (ExpressionError, OutputTooLargeError) as error:
            ending = {"status": RunStatus.FAILED, "error": Failure.of(error)}
        return self._end(ending, revision)

    def failure(self, failure: Failure, revision: str) -> Update:
        """The write that ends the run as failed, if it is still at `revision`."""
        return self._end({"status": RunStatus.FAILED, "error": failure}, revision)

    def _end(self, ending: dict[str, Any], revision: str) -> Update:
        """Without the mark that somebody must hear of it where nobody has to of such an end."""
        if self._must_hear() and not self._must_hear(ending["status"]):
            ending["unheard"] = False
        return end_of_run(self._deps, self._scope.run.id, revision, **ending)

    async def finish(self, variables: Variables) -> None:
        """Ends the run with its outputs, tells and announces it, unless it has ended already."""
        revision: str | None = self._scope.run.revision
        while revision is not None:
            end = self.write(variables, revision)
            try:
                await self._deps.store.commit([end])
            except StaleError:
                revision = await self.open_revision()
            else:
                self.tell(end)
                await self.announce()
                return

    def tell(self, end: Update) -> None:
        """The end has been committed."""
        tell_ended(self._deps, self._scope.run, self._scope.trace.trace_id, end.data)
        self._untold = RunStatus(end.data["status"])

    async def announce(self) -> None:
        """Publishes the end that was told of last, where somebody must hear of it."""
        status, self._untold = self._untold, None
        has_room = self._scope.version.flow.lane is not None  # for another run of its key
        if status is not None and (has_room or self._must_hear(status)):
            scope = self._scope
            redrives = count_in(scope.extensions, REDRIVE) or 0
            message = ended_message(
                scope.run.id, scope.run.correlation_id, scope.trace.traceparent, redrives
            )
            await self._deps.bus.publish("events", [message])

    def _must_hear(self, status: RunStatus | None = None) -> bool:
        run = self._scope.run
        return must_hear(self._scope.version.flow, status, awaited=run.awaited or run.counted)

    async def open_revision(self) -> str | None:
        """The run's revision while it goes on; None once it has ended."""
        found = await self._deps.store.get(run_path(self._scope.run.id))
        if found is None or RunRecord.of(found.data).status.is_final:
            return None
        return found.revision

    def _outputs(self, variables: Variables) -> dict[str, Any]:
        """The run's outputs; one that only fails because a step has no output is null."""
        outputs = {}
        for name, template in self._scope.version.flow.outputs.items():
            try:
                outputs[name] = fill(template, variables)
            except ExpressionError as error:
                if not self._lacks_a_step(template, variables):
                    raise ExpressionError(f"output {name!r}: {error.detail}") from error
                outputs[name] = None
        try:
            require_fitting(outputs, "the run's outputs")
        except (TypeError, ValueError) as error:
            raise ExpressionError(f"the run's outputs are no JSON: {error}") from error
        return outputs

    def _lacks_a_step(self, template: Any, variables: Variables) -> bool:
        steps = self._scope.version.flow.steps
        return any(name in steps and name not in variables for name in names(template))


def require_fitting(value: Any, what: str) -> None:
    """Raises OutputTooLargeError where a JSON value does not fit into a record."""
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAX_DATA_BYTES:
        raise OutputTooLargeError(f"{what}: {size:,} bytes; the limit is {MAX_DATA_BYTES:,}")
    if not is_shallow(value):
        raise OutputTooLargeError(f"{what}: nested more than {MAX_DEPTH} deep")


def end_of_run(deps: Deps, run_id: str, revision: str, **fields: Any) -> Update:
    """The write that ends a run that is still at `revision`."""
    update = {
        "finished_at": deps.clock.now(),
        "deadline": None,
        "turn": None,
        "due": None,
        "outputs": None,
        "error": None,
        **fields,
    }
    changed = RunRecord.fields_of(update)
    return Update(run_path(run_id), changed, revision)
