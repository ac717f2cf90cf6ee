"""The lines that tell of a run: that it was opened, that it has ended, what was buried of it.

Each is written by whoever committed what it tells, after the commit and before anything is sent. So
a line about a run is written at most once: never by a repeated delivery, and not at all where the
process dies, or the commit's answer is lost, in between. What is stored has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.envelope import RunPins
from shared.domain.records import DeadLetterRecord, RunRecord, RunStatus
from shared.domain.trace import parse_traceparent

_SEVERITY = {RunStatus.SUCCEEDED.value: "INFO", RunStatus.CANCELLED.value: "WARNING"}


def tell_opened(deps: Deps, document: Mapping[str, Any], *, again: bool = False) -> None:
    """The run's document has been written; one that was refused or skipped whole has ended too.

    Opened `again` after a refusal it has not started once more.
    """
    run = RunRecord.of(document)
    if not again:
        deps.telemetry.log(
            "INFO",
            f"run {run.run_id} started",
            trace_id=_trace_id(run),
            kind="run_started",
            labels={**run.pins("").labels(), "event_type": run.event_type},
            **({"variants": run.variants} if run.variants else {}),
        )
    if run.status.is_final:
        tell_ended_run(deps, document, document)


def tell_ended(deps: Deps, run: RunPins, trace_id: str, ending: Mapping[str, Any]) -> None:
    """The run's document has been given these fields, which end it.

    A run that is redriven ends once more, and its duration counts from its first beginning.
    """
    status, error = str(ending["status"]), ending.get("error")
    took = _milliseconds(run.started_at, ending["finished_at"])
    after = "" if took is None else f" after {took:.0f} ms"
    why = f": {error['code']}: {error['message']}" if error else ""
    deps.telemetry.log(
        _SEVERITY.get(status, "ERROR"),
        f"run {run.id} {status}{after}{why}",
        trace_id=trace_id,
        kind="run_ended",
        labels={**run.labels(), "status": status},
        status=status,
        duration_ms=took,
        error={"code": error["code"], "message": error["message"]} if error else None,
    )


def tell_ended_run(deps: Deps, document: Mapping[str, Any], ending: Mapping[str, Any]) -> None:
    """The same, for whoever has the run's document: the line is in the run's own trace."""
    run = RunRecord.of(document)
    tell_ended(deps, run.pins(""), _trace_id(run), ending)


def tell_letter(deps: Deps, letter: DeadLetterRecord) -> None:
    """A letter is kept. Said again where its message is delivered again: somebody must hear it."""
    about = {
        "stage": letter.stage,
        "flow": letter.flow,
        "step": letter.step,
        "run_id": letter.run_id,
        "correlation_id": letter.correlation_id,
        "dead_letter": letter.letter_id,
        "code": letter.error.code,
    }
    deps.telemetry.log(
        "ERROR",
        f"dead letter {letter.letter_id} from {letter.stage}: {letter.error.message}",
        kind="dead_letter",
        labels={name: text for name, text in about.items() if text is not None},
        error={"code": letter.error.code, "message": letter.error.message},
    )


def _trace_id(run: RunRecord) -> str:
    trace = parse_traceparent(run.traceparent)
    return trace.trace_id if trace else ids.trace_id(run.correlation_id)


def _milliseconds(since: datetime | None, until: datetime) -> float | None:
    """None where an older deployment opened the run and did not say when."""
    if since is None:
        return None
    # The clocks of two instances may disagree by more than a short run takes.
    return max(round((until - since).total_seconds() * 1000, 3), 0.0)
