"""What a rollout file can say: of what, and how its variants share the runs.

Decides what may be written; whether what it names is there is decided in `shared.prompting`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isclose
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from shared.domain.ids import content_hash
from shared.domain.model import Declared
from shared.domain.starts.schedules import FLOW_NAME

PRODUCTION = "production"  # the label that runs get where no rollout says otherwise
METRIC = r"^[a-z][a-z0-9_]{0,62}$"
SUCCESS, COST, LATENCY = "success", "cost", "latency"
OF_ENDS = frozenset({SUCCESS, COST, LATENCY})  # known when a run ends; all others are outcomes
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_SUM = 100.0


def _percent(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _PERCENT.fullmatch(value.strip())
    if match is None:
        raise ValueError("a share is a number of percent: 10%")
    return float(match[1])


Percent = Annotated[
    float,
    BeforeValidator(_percent),
    Field(gt=0, lt=100, allow_inf_nan=False),
    WithJsonSchema({"type": ["string", "number"], "examples": ["10%", 10]}),
]


class Target(Declared):
    """What there are variants of: exactly one of the three."""

    prompt: str | None = Field(None, description="A prompt; its variants are labels or versions.")
    model: str | None = Field(None, description="The model of this prompt; variants are models.")
    flow: str | None = Field(
        None, pattern=FLOW_NAME, description="The flow that events start; variants are flows."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of prompt, model and flow")
        return self

    @property
    def kind(self) -> Literal["prompt", "model", "flow"]:
        return "prompt" if self.prompt else "model" if self.model else "flow"

    @property
    def name(self) -> str:
        """The prompt, or the flow."""
        return self.prompt or self.model or str(self.flow)


class Split(Declared):
    """Fixed shares. The first variant is what runs get while the rollout is paused."""

    variants: dict[str, Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]] = Field(
        min_length=2, description="Percent of the keys by variant; they add up to 100."
    )
    key: str | None = Field(
        None, description="Expression over `event`: the same value, the same variant."
    )

    @field_validator("variants")
    @classmethod
    def _adds_up(cls, variants: dict[str, float]) -> dict[str, float]:
        total = sum(variants.values())
        if not isclose(total, _SUM, abs_tol=1e-6):
            raise ValueError(f"the weights add up to {total:g}; they must add up to 100")
        return variants


class Guard(Declared):
    """What the candidate must not be worse at: than the others by `margin` or more."""

    metric: str = Field(
        SUCCESS, pattern=METRIC, description="success, cost, latency or the name of an outcome."
    )
    better: Literal["higher", "lower"] | None = Field(
        None, description="Which way is better; lower of cost and latency, else higher."
    )
    margin: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="How much worse is tolerated, in its own unit."
    )
    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest value, [0, 1] unless told; USD or seconds of a run."
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.range is None and self.metric in {COST, LATENCY}:
            raise ValueError(
                f"{self.metric} needs a range, e.g. [0, 30]: what is more counts as 30"
            )
        low, high = self.bounds
        if not low < high:
            raise ValueError("the range is [lowest, highest]")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        return self.range or (0.0, 1.0)

    @property
    def tolerated(self) -> float:
        """The margin as a share of the range."""
        low, high = self.bounds
        return min(self.margin / (high - low), 1.0)

    def score(self, value: float) -> float:
        """A value as a number from 0, the worst, to 1."""
        low, high = self.bounds
        scaled = (min(max(value, low), high) - low) / (high - low)
        lower = self.metric in {COST, LATENCY} if self.better is None else self.better == "lower"
        return 1.0 - scaled if lower else scaled


def _listed(value: object) -> object:
    if value == []:
        raise ValueError("without a guard anything would be promoted; give one, or leave it out")
    return [value] if isinstance(value, Mapping) else value


def _one_or_several(schema: dict[str, Any]) -> None:
    several = {name: schema.pop(name) for name in ("type", "items")}
    schema["anyOf"] = [several["items"], several]


Guards = Annotated[
    tuple[Guard, ...], BeforeValidator(_listed), Field(json_schema_extra=_one_or_several)
]


class Canary(Declared):
    """A share for a candidate, until a sequential test tells that it is good, or worse."""

    candidate: str = Field(description="A label or version, a model, or a flow.")
    baseline: str | None = Field(
        None, description="What it is compared with: production, the prompt's model, the flow."
    )
    share: Percent = Field(description="Percent of the keys that the candidate gets.")
    key: str | None = Field(None, description="As of a split.")
    guard: Guards = Field((Guard(),), description="One guard, or a list of them.")
    alpha: float = Field(
        0.05, gt=0, lt=0.5, description="How likely a wrong decision may ever be, however long."
    )
    min_runs: int = Field(30, ge=1, description="Of each, before anything is decided.")
    then: Literal["promote", "hold"] = Field(
        "promote", description="What follows where it is good: promotion, or waiting for a person."
    )


class Shadow(Declared):
    """The candidate answers too; nothing acts on that."""

    candidate: str = Field(description="A label or version, a model, or a flow.")
    share: Percent | Literal[100] = Field(100, description="Percent of the runs it shadows.")


class Adapt(Declared):
    """Shares that follow recorded outcomes. The first arm is what runs get while it is paused."""

    arms: tuple[str, ...] = Field(min_length=2, description="Labels, models or flows.")
    outcome: str = Field(pattern=METRIC, description="What decides; success, cost, latency too.")
    better: Literal["higher", "lower"] | None = Field(None, description="As of a guard.")
    range: tuple[float, float] | None = Field(None, description="As of a guard.")
    explore: Percent = Field(10.0, description="Percent of the runs that all arms share alike.")

    @model_validator(mode="after")
    def _is_measured(self) -> Self:
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: an arm is there twice; keep one")
        self.guard  # noqa: B018 - it is checked like one
        return self

    @property
    def guard(self) -> Guard:
        """How values count."""
        return Guard(metric=self.outcome, better=self.better, range=self.range)


_WAYS = ("split", "canary", "shadow", "adapt")


class Rollout(Declared):
    """One file of `prompts/rollouts`: exactly one of split, canary, shadow and adapt."""

    rollout: str = Field(pattern=FLOW_NAME, description="Its name, which is the file's.")
    description: str = Field("", description="What it is to find out.")
    of: Target
    split: Split | None = None
    canary: Canary | None = None
    shadow: Shadow | None = None
    adapt: Adapt | None = None
    fallback: str | None = Field(
        None, pattern=FLOW_NAME, description="A flow that is started where another variant fails."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_WAYS)}")
        if self.fallback is not None and (self.of.kind != "flow" or self.shadow is not None):
            raise ValueError("fallback: only where runs get other flows; remove it")
        return self

    @property
    def version(self) -> str:
        """Of what is declared: another one measures anew."""
        return content_hash(self.declaration())

    def declaration(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def way(self) -> Split | Canary | Shadow | Adapt:
        found = self.split or self.canary or self.shadow or self.adapt
        assert found is not None
        return found

    @property
    def key(self) -> str | None:
        """The expression that says who gets the same variant; None: each event by itself."""
        return self.way.key if isinstance(self.way, Split | Canary) else None

    @property
    def variants(self) -> tuple[str, ...]:
        """All that are named, the one that runs get while it is paused first."""
        match self.way:
            case Split(variants=variants):
                return tuple(variants)
            case Adapt(arms=arms):
                return arms
            case Canary(candidate=candidate, baseline=baseline):
                return (baseline or self._usual, candidate)
            case Shadow(candidate=candidate):
                return (self._usual, candidate)

    @property
    def _usual(self) -> str:
        """What runs get without the rollout; of a model, the prompt knows."""
        return {"prompt": PRODUCTION, "flow": self.of.name, "model": ""}[self.of.kind]

    @property
    def guards(self) -> tuple[Guard, ...]:
        """What is measured, where something is decided by it."""
        if self.canary is not None:
            return self.canary.guard
        return (self.adapt.guard,) if self.adapt is not None else ()
