"""One row of the table of stages (`functions/stages.yaml`): the numbers a stage runs by."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.durations import Seconds
from shared.domain.model import Declared
from shared.domain.starts.priorities import NORMAL, Priority, filters

# From the root of the repository, with slashes; never out of it.
BundlePath = Annotated[str, Field(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")]

FLOWS = "prompts/flows"


class Retry(Declared):
    """Pub/Sub retry policy; 0 to 600 s each."""

    min: Seconds
    max: Seconds


class BundleRules(Declared):
    """What every stage is deployed with, beside its own folder and its `data`."""

    files: tuple[BundlePath, ...] = ()
    folders: tuple[BundlePath, ...] = ()
    without: tuple[str, ...] = Field((), description="Beginnings of paths that are left out.")
    suffixes: tuple[str, ...] = Field((), description="Endings of the files that are wanted.")


MAX_FILTER_BYTES = 256  # https://cloud.google.com/pubsub/docs/subscription-message-filter


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
    filter: str | None = Field(None, description="Over attributes; what does not match is acked.")
    priorities: bool = Field(False, description="A subscription for each priority of runs.")
    ordering: bool = Field(False, description="Messages of one ordering key come one by one.")
    schedule: str | None = Field(None, description="Cron, UTC: when its topic gets a tick.")
    concurrency: int = Field(80, ge=1, le=1000)
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$")
    cpu: str = "1"
    min_instances: int = Field(0, ge=0)
    max_instances: int = Field(20, ge=1)
    extras: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    publishes: tuple[str, ...] = Field((), description="Topics it sends to.")
    data: tuple[BundlePath, ...] = Field((), description="Read from its bundle beside its code.")
    stores: bool = Field(True, description="Whether it may use Firestore and stored payloads.")
    deletes: bool = Field(False, description="Whether it may also delete stored payloads.")
    public: bool = Field(False, description="Anybody may call it: it checks callers itself.")

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

    @model_validator(mode="after")
    def _fits_its_trigger(self) -> Self:
        for_topics = self.filter or self.ordering or self.schedule or self.priorities
        if self.trigger != "topic" and for_topics:
            raise ValueError(
                f"{self.name}: filter, ordering, priorities and schedule are for a topic's stage"
            )
        if any(len(one.encode()) > MAX_FILTER_BYTES for one in self.filters.values()):
            raise ValueError(f"{self.name}: filter must not exceed {MAX_FILTER_BYTES} bytes")
        if self.public and self.trigger != "http":
            raise ValueError(f"{self.name}: only a stage with trigger http can be public")
        return self

    @property
    def filters(self) -> dict[Priority, str]:
        """Of each of its subscriptions; without priorities there is one, and all is normal."""
        if self.priorities:
            return filters(self.filter)
        return {NORMAL: self.filter or ""}

    @property
    def reads_library(self) -> bool:
        """Whether flows are in its bundle. The others read a run's version from the store, where
        whoever opens the run has put it.
        """
        return FLOWS in self.data

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.name}-dead"
