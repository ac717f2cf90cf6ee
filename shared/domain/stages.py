"""One row of the table of stages (`functions/stages.yaml`): the numbers a stage runs by."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.domain.durations import Seconds
from shared.domain.model import Declared


class Retry(Declared):
    """Pub/Sub retry policy; 0 to 600 s each."""

    min: Seconds
    max: Seconds


class Stage(Declared):
    """A stage: one function, its topic, push subscription and dead-letter topic.

    budget < timeout <= ack_deadline: the stage gives up its own work before the platform cuts the
    request, and the platform before Pub/Sub sends the message to somebody else.
    """

    name: str
    trigger: Literal["http", "topic", "dead-letters"]
    topic: str | None = None
    effectful: bool = False
    budget: Seconds
    timeout: Seconds = Field(le=600)
    ack_deadline: Seconds | None = Field(None, ge=10, le=600)
    retry: Retry | None = None
    max_attempts: int | None = Field(None, ge=5, le=100)
    concurrency: int = Field(80, ge=1, le=1000)
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$")
    cpu: str = "1"
    min_instances: int = Field(0, ge=0)
    max_instances: int = Field(20, ge=1)
    extras: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    publishes: tuple[str, ...] = Field((), description="Topics it sends to.")

    @model_validator(mode="after")
    def _deadlines_nest(self) -> Self:
        if self.budget >= self.timeout:
            raise ValueError(f"{self.name}: budget must be below timeout")
        if self.trigger != "http" and (
            self.ack_deadline is None or self.retry is None or self.max_attempts is None
        ):
            raise ValueError(f"{self.name}: needs ack_deadline, retry and max_attempts")
        if self.ack_deadline is not None and self.timeout > self.ack_deadline:
            raise ValueError(f"{self.name}: timeout must not exceed ack_deadline")
        return self

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.name}-dead"
