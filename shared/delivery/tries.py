"""What follows on a try that has failed: another one, the step's fallback, or nothing.

Pure: decides by what is declared and what the step's record says of earlier tries.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.records import StepRecord
from shared.domain.retry import STEP_ERRORS, wait_before_retry
from shared.domain.step import Step


@dataclass(frozen=True)
class Try:
    """Another try, after so many seconds. `fallback`: in the step's place."""

    wait: float
    fallback: bool = False


def next_try(declared: Step, record: StepRecord, code: str, key: str) -> Try | None:
    """The try that follows on one that has failed with this error; None where it was the last.

    A fallback is tried once; only another prompt or another model is a try.
    """
    if record.fallback or code not in STEP_ERRORS:
        return None
    wait = wait_before_retry(declared.retry, record.retries + 1, code, key)
    if wait is not None:
        return Try(wait)
    fallback = declared.fallback
    if fallback is not None and (fallback.prompt is not None or fallback.model is not None):
        return Try(0.0, fallback=True)
    return None


def is_dealt_with(declared: Step, record: StepRecord, code: str) -> bool:
    """Whether a passing error is for the step's own policy, and not for redelivery, to deal with.

    A fallback that meets one is redelivered: there is nothing behind it.
    """
    if record.fallback or code not in STEP_ERRORS:
        return False
    if declared.fallback is not None:
        return True
    return declared.retry is not None and code in (declared.retry.on or STEP_ERRORS)
