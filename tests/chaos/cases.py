"""The flows that are run under misfortune, with the events that start them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.prompting.library import Library
from shared.testing.memory import Answer
from tests.functional.system import EVENT, flow, library, shipped

TICKET = {"id": "T-1", "from": "ada@example.com", "subject": "Hm", "body": "It is broken."}
SORTED = {"category": "billing", "urgency": "high", "summary": "Broken.", "confidence": 0.9}
REPLY = {"subject": "Re: Hm", "text": "We are sorry.", "confidence": 0.8}


@dataclass(frozen=True)
class Case:
    """A library, the event that starts its flows, and what the model says to which prompt.

    `fails` names the calls that are broken until they are cured. While a run that is `hurried`
    goes on, sweeps come along all the time.
    """

    name: str
    library: Library
    event_type: str = EVENT
    data: Any = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    fails: tuple[str, ...] = ()
    hurried: bool = False


def _case(name: str, steps: str, outputs: str, more: str = "", **about: Any) -> Case:
    declared = flow(steps, name=name, more=f"outputs: {{{outputs}}}\n{more}")
    return Case(name, library(declared), data={"n": 4, "text": "go"}, **about)


CHAIN = _case(
    "chain",
    """
    a: {prompt: say, with: {text: "{{ event.data.text }}"}}
    b: {needs: a, call: test.echo, with: {value: "{{ a.text | length }}"}}
    c: {needs: b, action: http.request, with: {url: "https://example.com/{{ b }}"}}
    d: {needs: c, prompt: say, with: {text: "{{ a.text }} {{ c.status }}"}}
    """,
    "last: '{{ d.text }}'",
)
DIAMOND = _case(
    "diamond",
    """
    top: {call: test.echo, with: {value: "{{ event.data.n }}"}}
    left: {needs: top, prompt: say, with: {text: "left {{ top }}"}}
    right: {needs: top, prompt: say, with: {text: "right {{ top }}"}}
    off: {needs: top, when: top > 9, call: test.echo}
    also_off: {needs: off, call: test.echo}
    hollow: {needs: [off, also_off], call: test.echo}
    tip: {needs: [left, right, hollow], prompt: say, with: {text: "{{ left.text + right.text }}"}}
    leaf: {needs: top, action: http.request, with: {url: "https://example.com/leaf"}}
    """,
    "tip: '{{ tip.text }}', hollow: '{{ hollow }}', leaf: '{{ leaf.status }}'",
)
JOIN = _case(
    "join",
    "\n".join(
        [
            *(f"p{n}: {{prompt: say, with: {{text: '{n}'}}}}" for n in range(5)),
            *(f"c{n}: {{call: test.echo, with: {{value: {n}}}}}" for n in range(5)),
            "tip:",
            "  needs: [p0, p1, p2, p3, p4, c0, c1, c2, c3, c4]",
            "  prompt: say",
            "  with: {text: '{{ p0.text }} {{ p4.text }} {{ c1 + c2 + c4 }}'}",
        ]
    ),
    "tip: '{{ tip.text }}'",
)
DOOMED = _case(
    "doomed",
    """
    a: {prompt: say, with: {text: hi}}
    bad: {needs: a, call: test.count, with: {name: bad, value: 2}}
    b: {call: test.echo, with: {value: 1}}
    c: {needs: b, prompt: say, with: {text: "{{ b }}"}}
    d: {needs: c, action: http.request, with: {url: "https://example.com/d"}}
    off: {needs: b, when: b > 1, call: test.echo}
    off_too: {needs: c, when: b > 1, call: test.echo}
    hollow: {needs: [off, off_too], call: test.echo}
    tip: {needs: [bad, d, hollow], prompt: say, with: {text: "{{ bad }} {{ d.status }}"}}
    """,
    "tip: '{{ tip.text }}'",
    fails=("bad",),
)
HURRIED = _case(
    "hurried",
    """
    a: {prompt: say, with: {text: one}}
    b: {needs: a, prompt: say, with: {text: two}}
    c: {needs: a, call: test.echo, with: {value: 3}}
    d: {needs: [b, c], prompt: say, with: {text: "{{ b.text }} {{ c }}"}}
    """,
    "d: '{{ d.text }}'",
    "timeout: 20s",
    hurried=True,
)
JOKE = Case("joke", shipped(), "joke.requested", {"topic": "chaos"}, {"joke/write": "Ha."})
SUPPORT = Case(
    "support",
    shipped(),
    "support.ticket.created",
    TICKET,
    {"support/classify": SORTED, "support/draft": REPLY},
)
CASES = (CHAIN, DIAMOND, JOIN, DOOMED, HURRIED, JOKE, SUPPORT)
