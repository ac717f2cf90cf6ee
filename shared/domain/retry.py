"""Whether a step that has failed is tried again, and when.

Pure: the same policy, failure and key give the same answer, on every instance.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from shared.domain.durations import Seconds
from shared.domain.ids import digest
from shared.domain.model import Declared

# Failures of a step's work that another try may not meet again. The others are bad declarations,
# which fail the same way each time, or troubles of the platform, which redelivery deals with.
STEP_ERRORS = frozenset(
    {
        "ActionFailed",
        "EffectUnavailable",
        "ModelBusy",
        "ModelEmpty",
        "ModelMalformed",
        "ModelRefused",
        "ModelRequest",
        "ModelTruncated",
        "ModelUnreachable",
        "OutputInvalid",
        "StageBudget",
        "StepTimeout",
    }
)
_STEPS = 1 << 32


class Backoff(Declared):
    """How long a retry waits: so long at first, so many times longer each time, up to a limit."""

    initial: Seconds = Field(1.0, description="Before the first retry.")
    factor: float = Field(2.0, ge=1, le=10, description="Of each wait to the one before.")
    max: Seconds = Field(300.0, description="No wait is longer.")
    jitter: float = Field(0.2, ge=0, le=1, description="Share by which waits are spread.")


class Retry(Declared):
    """A step that fails is tried again."""

    attempts: int = Field(3, ge=1, le=20, description="Tries in all, the first among them.")
    backoff: Backoff = Field(default_factory=Backoff)
    on: tuple[str, ...] = Field(
        (), description="Error codes, e.g. ModelRefused; left out: every error of the step's work."
    )

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_many(cls, on: object) -> object:
        return (on,) if isinstance(on, str) else on

    @field_validator("on")
    @classmethod
    def _known(cls, on: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(on) - STEP_ERRORS)
        if unknown:
            known = ", ".join(sorted(STEP_ERRORS))
            raise ValueError(f"{', '.join(unknown)} cannot be retried; there are {known}")
        return on


def wait_before_retry(policy: Retry | None, failures: int, code: str, key: str) -> float | None:
    """Seconds until the next try; None where the step has failed for good.

    `failures` counts this one; `key` tells the steps apart, so that they do not all come back at
    the same moment.
    """
    if policy is None or failures >= policy.attempts:
        return None
    if code not in (policy.on or STEP_ERRORS):
        return None
    backoff = policy.backoff
    wait = min(backoff.initial * backoff.factor ** (failures - 1), backoff.max)
    drawn = int(digest("jitter", key, str(failures), length=8), 16) / _STEPS  # 0 to below 1
    return min(wait * (1 + backoff.jitter * (2 * drawn - 1)), backoff.max)
