"""What each guarantee is called, and what it says: the names that violations are reported by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GUARANTEES: Mapping[str, str] = {
    "event-stored": "an event is stored before it is acknowledged, and none is lost",
    "one-run": "there is at most one run for each flow and event, however often it is published",
    "result-once": "the result of a step is recorded once",
    "model-calls": "models are asked once a step, and once more for each attempt that was cut down",
    "chain": "a model is passed over only where it is not well, and not for ever",
    "cache": "an answer that was kept is the result of a step, and costs nothing",
    "money": "a run is billed no more than its budget, and each bill is counted",
    "retries": "a step is tried again no more often than its flow says",
    "agent": "an agent's turns follow one another, each with the results of all calls before it",
    "effects": "what a call of a tool does is done once, and known, or asked about",
    "join-once": "a join fires exactly once, and no step starts before what it needs has ended",
    "graph": "a step runs exactly where its branches let it, and its run ends when all have",
    "dead-letters": "what cannot be processed is kept with its reason and bytes, and nothing else",
    "map": "a mapped step runs for each item of its list and collects their outputs in order",
    "children": "a child is its step's, opened once, and its step ends as it has",
    "order": "of a key no more runs are under way than its flow says, and they begin in order",
    "batch": "an event that is collected is in exactly one batch",
    "terminal-run": "a run that has ended never changes, unless a failed one is redriven",
    "pinned": "a run stays on the flow version and the prompts it began with",
    "same-ending": "a run ends as it does where nothing goes wrong",
    "settles": "all messages are processed in the end, and then every run has ended",
    "stopped": "of a run that was cancelled, or is paused, nothing begins any more",
    "told-once": "the start of a run and each of its ends is in the log at most once",
    "undone": "what a failed run has done is undone, in reverse order, and its hook is started",
    "collection": "a collection holds the chunks of the last version of each document",
    "blackboard": "each call that writes on the blackboard of a run has written once",
    "counted": "a run is counted once for each thing that a rollout measures",
    "shadow": "what a shadow answers changes nothing of a run",
    "no-defect": "no stage meets an error that it does not know",
}


@dataclass(frozen=True)
class Violation:
    """A guarantee that was broken. `invariant` is a name in GUARANTEES."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"
