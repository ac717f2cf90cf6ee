"""Which prepared answer a request gets: the first rule that matches it wins.

Keeps how often each rule was used, for `times` and for answers in turn. Must not know of YAML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emulator.standin.faults import Fault, prompt_form
from emulator.standin.wire import Reply, ToolCall

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from emulator.standin.question import Question


@dataclass(frozen=True, slots=True)
class When:
    """The condition of a rule; everything that is set must hold. Names may use * and ?."""

    model: str | None = None
    prompt: str | None = None
    contains: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    system_contains: tuple[str, ...] = ()

    def holds(self, question: Question) -> bool:
        """Whether the request meets the condition."""
        return (
            _named(self.model, question.model)
            and _named(self.prompt and prompt_form(self.prompt), prompt_form(question.prompt))
            and _has_any(question.text, self.contains)
            and _has_any(question.system, self.system_contains)
            and (self.pattern is None or self.pattern.search(question.text) is not None)
        )


def _named(wanted: str | None, name: str) -> bool:
    return wanted is None or fnmatchcase(name, wanted)


def _has_any(text: str, wanted: tuple[str, ...]) -> bool:
    lowered = text.lower()
    return not wanted or any(each.lower() in lowered for each in wanted)


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition and what happens: answers in turn, function calls, a fault, a delay."""

    when: When = field(default_factory=When)
    answers: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    fault: Fault | None = None
    delay: float = 0.0
    times: int | None = None

    def reply(self, use: int) -> Reply | None:
        """Return what the rule answers at its n-th use (from 0); None leaves it to the schema."""
        if self.calls:
            return Reply(calls=self.calls)
        if self.answers:
            return Reply(text=self.answers[use % len(self.answers)])
        return None


@dataclass(frozen=True, slots=True)
class Picked:
    """The rule a request met, and its answer this time."""

    rule: Rule
    reply: Reply | None


class Rules:
    """The rules in order. `pick` counts a use, so it is called once per request."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._uses = [0] * len(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def unused(self) -> Rules:
        """Return the same rules with nothing used up."""
        return Rules(self._rules)

    def pick(self, question: Question) -> Picked | None:
        """Return the first rule that matches and is not used up."""
        for index, rule in enumerate(self._rules):
            use = self._uses[index]
            if (rule.times is None or use < rule.times) and rule.when.holds(question):
                self._uses[index] += 1
                return Picked(rule, rule.reply(use))
        return None
