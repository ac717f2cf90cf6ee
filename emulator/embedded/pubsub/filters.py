"""The filter language of subscriptions: text in, a predicate over attributes out.

Must not know subscriptions or messages.
https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from emulator.embedded.pubsub.filter_literals import unescaped
from emulator.embedded.refusal import Refusal, invalid

MAX_BYTES = 256
_MAX_PARENTHESES = 128  # more of them cannot be part of 256 correct bytes; bounds the recursion

Predicate = Callable[[Mapping[str, str]], bool]

_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_COMPARISON = re.compile(r"!=|=")


def parse(text: str) -> Predicate | None:
    """What tells whether attributes match; None where the filter is empty and all do.

    Raises Refusal INVALID_ARGUMENT for what is no filter, or one over 256 bytes.
    """
    if len(text.encode()) > MAX_BYTES:
        raise invalid(
            f"The value for filter_size is too large. You passed {len(text.encode())} in the "
            f"request, but the maximum value is {MAX_BYTES}."
        )
    parser = _Parser(text)
    return None if parser.at_end() else parser.whole()


class _Parser:
    """Recursive descent over the text; `at` is the place of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Predicate:
        if self.text.count("(") > _MAX_PARENTHESES:
            raise self.refusal()
        found = self.expression()
        if not self.at_end():
            raise self.refusal()
        return found

    def expression(self) -> Predicate:
        """Terms joined by AND, or by OR: a mixture needs parentheses."""
        found = self.term()
        for operator, join in (("AND", _both), ("OR", _either)):
            if self.keyword(operator):
                found = join(found, self.term())
                while self.keyword(operator):
                    found = join(found, self.term())
                break
        return found

    def term(self) -> Predicate:
        if self.symbol("-") or self.keyword("NOT"):
            return _negated(self.simple())
        return self.simple()

    def simple(self) -> Predicate:
        if self.symbol("("):
            found = self.expression()
            self.expect(")")
            return found
        if self.keyword("hasPrefix"):
            return self.has_prefix()
        if not self.keyword("attributes"):
            raise self.refusal()
        if self.symbol(":"):
            self.space()
            return _present(self.key())
        return self.equality()

    def has_prefix(self) -> Predicate:
        self.expect("(")
        if not self.keyword("attributes"):
            raise self.refusal()
        key = self.member()
        self.expect(",")
        prefix = self.literal()
        self.expect(")")
        return lambda attributes: key in attributes and attributes[key].startswith(prefix)

    def equality(self) -> Predicate:
        key = self.member()
        self.space()
        operator = self.match(_COMPARISON)
        if operator is None:
            raise self.refusal()
        equal = _equal(key, self.literal())
        return equal if operator == "=" else _negated(equal)

    def member(self) -> str:
        if not self.text.startswith(".", self.at):
            raise self.refusal()
        self.at += 1
        return self.key()

    def key(self) -> str:
        if self.text.startswith('"', self.at):
            return self.literal()
        word = self.match(_KEY)
        if word is None:
            raise self.refusal()
        return word

    def literal(self) -> str:
        self.space()
        start = self.at
        quoted = self.match(_LITERAL)
        plain = None if quoted is None else unescaped(quoted[1:-1])
        if plain is None:
            self.at = start
            raise self.refusal()
        return plain

    def expect(self, symbol: str) -> None:
        if not self.symbol(symbol):
            raise self.refusal()

    def symbol(self, symbol: str) -> bool:
        self.space()
        if not self.text.startswith(symbol, self.at):
            return False
        self.at += len(symbol)
        return True

    def keyword(self, word: str) -> bool:
        """Takes the word where it stands alone: `NOTattributes` is no NOT."""
        self.space()
        end = self.at + len(word)
        if not self.text.startswith(word, self.at) or _KEY.match(self.text, end):
            return False
        self.at = end
        return True

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def space(self) -> None:
        self.match(_SPACE)

    def at_end(self) -> bool:
        self.space()
        return self.at == len(self.text)

    def refusal(self) -> Refusal:
        return invalid(
            f"Invalid filter: {self.text!r}: syntax error at position {self.at}. Refer to "
            "https://cloud.google.com/pubsub/docs/subscription-message-filter for the syntax."
        )


def _present(key: str) -> Predicate:
    return lambda attributes: key in attributes


def _equal(key: str, value: str) -> Predicate:
    return lambda attributes: attributes.get(key) == value


def _negated(inner: Predicate) -> Predicate:
    return lambda attributes: not inner(attributes)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda attributes: left(attributes) and right(attributes)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda attributes: left(attributes) or right(attributes)
