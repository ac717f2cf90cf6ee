"""Which prepared answer a request gets: the first rule that matches it wins.

Keeps how often each rule was used, for `times` and for answers in turn. Must not know of YAML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emulator.standin.faults import Fault, prompt_form
from emulator.standin.scripts import ScriptedCall, asked, said
from emulator.standin.wire import Reply

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from emulator.standin.conversation import Conversation
    from emulator.standin.question import Question


@dataclass(frozen=True, slots=True)
class When:
    """The condition of a rule; everything that is set must hold. Names may use * and ?."""

    model: str | None = None
    prompt: str | None = None
    contains: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    system_contains: tuple[str, ...] = ()
    asked_contains: tuple[str, ...] = ()
    results_contain: tuple[str, ...] = ()
    after_tool: str | None = None
    turn: int | None = None

    def holds(self, question: Question) -> bool:
        """Whether the request meets the condition."""
        return (
            _named(self.model, question.model)
            and _named(self.prompt and prompt_form(self.prompt), prompt_form(question.prompt))
            and _has_any(question.text, self.contains)
            and _has_any(question.system, self.system_contains)
            and (self.pattern is None or self.pattern.search(question.text) is not None)
            and self._holds_so_far(question.conversation)
        )

    def _holds_so_far(self, conversation: Conversation) -> bool:
        """Whether the conversation has come to where the rule is meant for."""
        return (
            self.turn in {None, conversation.turn}
            and (
                self.after_tool is None
                or any(fnmatchcase(name, self.after_tool) for name in conversation.latest)
            )
            and _has_any(conversation.asked, self.asked_contains)
            and _has_any(
                "\n".join(
                    json.dumps(each.result, ensure_ascii=False) for each in conversation.done
                ),
                self.results_contain,
            )
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
    calls: tuple[ScriptedCall, ...] = ()
    fault: Fault | None = None
    delay: float = 0.0
    times: int | None = None

    def reply(self, use: int, question: Question) -> Reply | None:
        """Return what the rule answers at its n-th use (from 0); None leaves it to the schema."""
        if self.calls:
            return Reply(calls=asked(self.calls, question))
        if self.answers:
            return Reply(text=said(self.answers[use % len(self.answers)], question))
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
        """Return the first rule that matches and is not used up; raises ScriptError."""
        for index, rule in enumerate(self._rules):
            use = self._uses[index]
            if (rule.times is None or use < rule.times) and rule.when.holds(question):
                self._uses[index] += 1
                return Picked(rule, rule.reply(use, question))
        return None
