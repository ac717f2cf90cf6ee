"""What a run about to be opened has been given by rollouts, and what becomes of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Names = Mapping[str, str]
FALLBACK_OF = "segue-fallback-of"  # attribute: the run whose failure an event comes again for


@dataclass(frozen=True)
class Picks:
    """By rollout: the run's variant, and the trial that the run is counted in.

    `of_event`: which flow the event got; it is kept with the event, as its copies must get it too.
    `fallback`: the flow that is started where the run fails. `shadow_of`: the run beside which it
    goes, without effects.
    """

    variants: Names = field(default_factory=dict)
    trials: Names = field(default_factory=dict)
    of_event: Names = field(default_factory=dict)
    fallback: str | None = None
    shadow_of: str | None = None

    @property
    def must_hear(self) -> bool:
        """Whether the run's end has to be heard of."""
        return bool(self.trials) or bool(self.fallback or self.shadow_of)

    def __or__(self, other: Picks) -> Picks:
        return Picks(
            {**self.variants, **other.variants},
            {**self.trials, **other.trials},
            {**self.of_event, **other.of_event},
            self.fallback or other.fallback,
            self.shadow_of or other.shadow_of,
        )


def flows_of(picks: Iterable[Picks]) -> dict[str, str]:
    """By rollout, the flow that the event of these runs got."""
    return {name: flow for one in picks for name, flow in one.of_event.items()}


NO_PICKS = Picks()
