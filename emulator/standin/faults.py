"""What can go wrong with a model, and which requests it goes wrong for.

Decides whether a request meets an armed fault. Must not know how a fault is acted out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from emulator.standin.question import COUNT, EMBED, GENERATE, KEEP

if TYPE_CHECKING:
    from emulator.standin.question import Question

DEFAULT_SLOWNESS = 2.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Fault(StrEnum):
    """Everything the stand-in can do wrong on request."""

    QUOTA = "429"
    UNAVAILABLE = "503"
    INTERNAL = "500"
    INVALID = "400"
    SLOW = "slow"
    HANG = "hang"
    DROP = "drop"
    GARBAGE = "garbage"
    NOT_JSON = "not-json"
    BLOCKED_PROMPT = "blocked-prompt"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    MISCALLED = "miscalled"


# These replace the whole answer; the others spoil one that was made.
REFUSALS = frozenset({Fault.QUOTA, Fault.UNAVAILABLE, Fault.INTERNAL, Fault.INVALID})
NO_ANSWER = frozenset({Fault.HANG, Fault.DROP})
_ON = {
    "generate": GENERATE,
    "embed": EMBED,
    "count": COUNT,
    "cache": KEEP,
    "any": GENERATE | EMBED | COUNT | KEEP,
}


class BadControlError(Exception):
    """A rule or a control request is wrong; the message says what, and what would be right."""


def fault_named(name: object) -> Fault:
    """Return the fault of that name; raises BadControlError listing the known ones."""
    try:
        return Fault(str(name))
    except ValueError:
        known = ", ".join(fault.value for fault in Fault)
        raise BadControlError(f"unknown fault {name!r}: use one of {known}") from None


def seconds(value: object) -> float:
    """Read a duration such as "200ms", "1.5s" or "2m"; raises BadControlError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", str(value))
    if found is None:
        raise BadControlError(f'{value!r} is no duration: write one like "200ms", "1.5s" or "2m"')
    return float(found[1]) * _UNITS[found[2]]


def prompt_form(name: str) -> str:
    """Reduce a prompt's name to what survives in a label, which may hold no slash or dot."""
    return re.sub(r"[/._]", "-", name.lower())


@dataclass(frozen=True, slots=True)
class Armed:
    """A fault lying in wait. `times` None means until it is disarmed."""

    fault: Fault
    times: int | None = None
    contains: str = ""
    prompt: str = ""
    delay: float = 0.0
    on: str = "generate"

    def meets(self, question: Question) -> bool:
        """Whether this fault is meant for that request."""
        return (
            question.method in _ON[self.on]
            and self.contains.lower() in question.text.lower()
            and self.prompt in {"", prompt_form(question.prompt)}
        )


def armed_from(order: dict[str, Any]) -> Armed:
    """Read the body of `POST /_faults`; raises BadControlError."""
    known = ("fault", "times", "contains", "prompt", "delay", "on")
    if unknown := sorted(set(order) - set(known)):
        raise BadControlError(f"unknown key {unknown[0]!r}: a fault has {', '.join(known)}")
    fault, times, on = fault_named(order.get("fault")), order.get("times"), order.get("on")
    if on is not None and on not in _ON:
        raise BadControlError(f"on is {on!r}: use one of {', '.join(_ON)}")
    slowness = DEFAULT_SLOWNESS if fault is Fault.SLOW else 0.0
    return Armed(
        fault,
        times=None if times is None else count(times),
        contains=str(order.get("contains", "")),
        prompt=prompt_form(str(order.get("prompt", ""))),
        delay=seconds(order["delay"]) if "delay" in order else slowness,
        on=on or "generate",
    )


def count(value: object) -> int:
    """Read how many times something happens; raises BadControlError unless it is 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadControlError(f"times is {value!r}: give a whole number from 1, or leave it out")
    return value


class FaultBoard:
    """The armed faults, in the order of arming; the first that meets a request is used."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []

    def arm(self, armed: Armed) -> None:
        """Let a fault lie in wait."""
        self._armed.append(armed)

    def take(self, question: Question) -> Armed | None:
        """Return the fault this request meets, using up one of its times."""
        for index, armed in enumerate(self._armed):
            if armed.meets(question):
                self._use(index, armed)
                return armed
        return None

    def _use(self, index: int, armed: Armed) -> None:
        if armed.times == 1:
            del self._armed[index]
        elif armed.times is not None:
            self._armed[index] = replace(armed, times=armed.times - 1)

    def clear(self) -> int:
        """Disarm everything and return how many faults were still armed."""
        count_before = len(self._armed)
        self._armed.clear()
        return count_before

    def listed(self) -> list[dict[str, Any]]:
        """Return what is armed, as JSON values."""
        return [
            {
                "fault": armed.fault.value,
                "times": armed.times,
                "contains": armed.contains,
                "prompt": armed.prompt,
                "delay": f"{armed.delay:g}s",
                "on": armed.on,
            }
            for armed in self._armed
        ]
