"""What the stand-in remembers between requests, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.standin.caches import Caches
from emulator.standin.calls import CallLog
from emulator.standin.faults import FaultBoard
from emulator.standin.rules import Rules


@dataclass(slots=True)
class State:
    """Changed by the control API and read by every request; `latency` is in seconds."""

    rules: Rules = field(default_factory=Rules)
    latency: float = 0.0
    faults: FaultBoard = field(default_factory=FaultBoard)
    calls: CallLog = field(default_factory=CallLog)
    caches: Caches = field(default_factory=Caches)
    first_rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        """Keep the rules of the start, to go back to."""
        self.first_rules = self.rules
