"""A prompt that judges how well runs of a flow did: what is declared, and the flow it becomes.

Pure. The judge is a flow of its own, started by its name once a run has succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.domain.ids import digest
from shared.domain.model import Declared, Json
from shared.domain.rollouts.declared import METRIC, Percent
from shared.domain.rollouts.sticky import fraction

JUDGED_RUN = "segue-judged-run"  # attribute: the run that is judged
STEP = "judge"  # of the flow it becomes: the one that asks
SCORE = "score"  # of the answer: what is recorded


class Judge(Declared):
    """A prompt whose `score` is recorded as an outcome of runs that have succeeded."""

    prompt: str = Field(
        description="A prompt whose `output` has a `score`: a number from 0 to 1, or a boolean."
    )
    arguments: dict[str, Json] = Field(
        default_factory=dict,
        alias="with",
        description="What it is given: templates over the event, the run and its steps.",
    )
    share: Percent | Literal[100] = Field(100, description="Percent of the runs it judges.")


Judges = Annotated[
    dict[Annotated[str, Field(pattern=METRIC)], Judge],
    Field(description="By outcome: a prompt that says how well a run did, once it has succeeded."),
]


def judging_name(flow: str, outcome: str) -> str:
    """The flow that judges an outcome of another one's runs."""
    return f"{flow}-judge-{outcome.replace('_', '-')}"


def judging(flow: str, outcome: str, judge: Judge) -> dict[str, Any]:
    """That flow, as a file would declare it: it asks, and tells of what the answer is."""
    told = {
        "run": "{{ event.data.run }}",
        "name": outcome,
        "value": f"{{{{ {STEP}.{SCORE} }}}}",
        "by": "{{ run.id }}",
    }
    return {
        "flow": judging_name(flow, outcome),
        "description": f"Judges how {outcome} runs of {flow} are.",
        "on": "call",
        "priority": "low",
        "input": {"type": "object", "required": ["run", "given"]},
        "steps": {
            STEP: {
                "prompt": judge.prompt,
                "with": {name: f"{{{{ event.data.given[{name!r}] }}}}" for name in judge.arguments},
            },
            "record": {
                "needs": STEP,
                "action": "event.publish",
                "with": {"type": "outcome.recorded", "data": told},
            },
        },
        "outputs": {SCORE: told["value"]},
    }


def chosen(judges: Mapping[str, Judge], flow: str, run_id: str) -> Iterator[str]:
    """The outcomes that are judged of a run: the same ones whoever asks, and however often."""
    for outcome, judge in judges.items():
        if fraction("judge", flow, outcome, run_id) * 100 < judge.share:
            yield outcome


def judging_id(run_id: str, outcome: str) -> str:
    """Of the event that starts it: a run is judged once."""
    return digest("judge", run_id, outcome, length=24)
