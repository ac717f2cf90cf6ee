"""The flows that are run under misfortune, with the events that start them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.envelope import ModelRequest
from shared.domain.version import FlowVersion
from shared.errors import ModelRefusedError
from shared.testing.memory import Answer, Said, ScriptedModel
from shared.testing.simulator.case import Case, Told
from tests.chaos.agent_cases import AGENT
from tests.chaos.children import BAD, DOOMED_STEPS, FAMILY_STEPS, LAST, MANAGER, MIDDLE
from tests.chaos.crowds import CROWD, ONE_BY_ONE, TOGETHER, TWO_AT_ONCE
from tests.chaos.document_cases import SHELF
from tests.chaos.model_cases import MODELS
from tests.chaos.money_cases import THRIFTY
from tests.chaos.relabelled import RELABELLED
from tests.chaos.shipped import JOKE, SUPPORT
from tests.chaos.typed_flows import TYPED
from tests.chaos.undone import UNDONE
from tests.functional import calls
from tests.functional.system import EVENT, echoing, flow, library, prompt


def _mend(mended: bool) -> None:  # noqa: FBT001 - the signature of `Case.mend`
    """The call `bad` fails until it is mended."""
    calls.BROKEN.clear()
    calls.BROKEN.update(() if mended else ("bad",))


def _model(answers: Mapping[str, Answer]) -> Callable[[], ScriptedModel]:
    return lambda: ScriptedModel(answers, default=echoing)


def _but_not_to_you(request: ModelRequest) -> Said:
    """One model does not answer to this, and another does."""
    if request.messages[0][1] == "not you" and request.model != "other-model":
        return ModelRefusedError("not you")
    return echoing(request)


NEVER = prompt("never", "{{ text }}")
JUDGE = prompt(
    "judge",
    "{{ text }}",
    output={"type": "object", "required": ["score"], "properties": {"score": {"type": "integer"}}},
)


def _case(
    name: str,
    steps: str,
    outputs: str,
    *others: FlowVersion,
    more: str = "priority: \"'high' if event.data.n > 3 else 'low'\"",
    answers: Mapping[str, Answer] | None = None,
    **about: Any,
) -> Case:
    declared = flow(steps, JUDGE, NEVER, name=name, more=f"outputs: {{{outputs}}}\n{more}")
    model = _model(answers or {})
    known = library(declared, *others)
    return Case.revised(name, known, EVENT, {"n": 4, "text": "go"}, model=model, **about)


CHAIN = _case(
    "chain",
    """
    a: {prompt: say, with: {text: "{{ event.data.text }}"}}
    b: {needs: a, call: test.echo, with: {value: "{{ a.text | length }}"}}
    c: {needs: b, action: http.request, with: {url: "https://example.com/{{ b }}"}}
    d: {needs: c, prompt: judge, with: {text: "{{ a.text }} {{ c.status }}"}}
    """,
    "last: '{{ d.score }}'",
    answers={"judge": {"score": 7}},
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
    tip:
      needs: [left, right, hollow]
      prompt: say
      timeout: 5s
      with: {text: "{{ left.text + right.text }}"}
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
    doomed=frozenset({"bad"}),
    mend=_mend,
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
    more="timeout: 20s",
)
RELAY = _case(
    "relay",
    """
    a: {prompt: say, with: {text: one}}
    tell: {needs: a, action: event.publish, with: {type: text.said, data: {text: "{{ a.text }}"}}}
    note: {needs: tell, action: firestore.set, with: {path: "notes/{{ run.id }}", data: {n: 1}}}
    """,
    "told: '{{ tell.id }}'",
    flow(
        """
        b: {prompt: say, with: {text: "{{ event.data.text }}"}}
        mail: {needs: b, action: email.send, with: {to: a@b.c, subject: b, text: "{{ b.text }}"}}
        """,
        name="answer",
        more="on: {event: text.said}\noutputs: {b: '{{ b.text }}'}",
    ),
)
RACE = _case(
    "race",
    """
    a: {prompt: say, with: {text: one}}
    b: {needs: a, prompt: say, with: {text: two}}
    c: {call: test.echo, with: {value: 3}}
    d: {call: test.echo, when: "event.data.n > 9"}
    first: {needs: [a, c, d], join: any, call: test.echo, with: {value: first}}
    two: {needs: [a, b, c, d], join: {n: 2}, prompt: say, with: {text: two of four}}
    never: {needs: [d, off], join: any, call: test.echo}
    off: {needs: d, call: test.echo}
    nested: {needs: [first, two, never], call: test.echo, with: {value: "{{ first }}"}}
    last: {needs: [nested, b], join: {n: 2}, prompt: say, with: {text: "{{ nested }}"}}
    """,
    "last: '{{ last.text }}', never: '{{ never }}'",
)
PROVIDED = _case(
    "provided",
    """
    a: {prompt: say, with: {text: one}}
    bad: {needs: a, call: test.fail, on_error: {goto: sorry}}
    lost: {needs: bad, call: test.echo, with: {value: lost}}
    sorry: {prompt: say, with: {text: "sorry, {{ a.text }}"}}
    worse: {call: test.fail, on_error: continue}
    alone: {needs: worse, call: test.echo}
    unrendered: {prompt: judge, with: {text: "{{ event.data.none.at.all }}"}, on_error: continue}
    refused: {needs: a, when: a.text > 3, call: test.echo, on_error: {goto: after}}
    after: {needs: refused, action: http.request, with: {url: "https://example.com/after"}}
    tip:
      needs: [lost, sorry, worse, alone, unrendered, after]
      prompt: say
      with: {text: "{{ sorry.text }} {{ after.status }}"}
    """,
    "tip: '{{ tip.text }}', bad: '{{ bad }}'",
)
EARLY = _case(
    "early",
    """
    a: {prompt: say, with: {text: one}}
    quick: {needs: a, call: test.echo, with: {value: "{{ a.text }}"}, finish: true}
    slow: {needs: a, prompt: say, with: {text: slow}}
    slower: {needs: slow, prompt: say, with: {text: "{{ slow.text }}"}}
    not_yet: {needs: a, when: "event.data.n > 9", call: test.echo, finish: true}
    """,
    "quick: '{{ quick }}'",
)
MAPS = _case(
    "maps",
    """
    a: {prompt: say, with: {text: one}}
    ask: {needs: a, foreach: {in: "range(5)", max_parallel: 2}, prompt: say,
          with: {text: "{{ item }} {{ index }}"}}
    calc: {foreach: "[3, 1, 2]", call: test.echo, with: {value: "{{ item * event.data.n }}"}}
    post: {needs: calc, foreach: {in: calc, max_parallel: 1}, action: http.request,
           with: {url: "https://example.com/{{ item }}"}}
    nothing: {needs: a, foreach: "[]", call: test.echo}
    some: {foreach: {in: "range(4)", tolerate: 50%}, call: test.fail_if,
           with: {broken: "{{ item is odd }}", value: "{{ item }}"}}
    worse: {foreach: {in: "range(4)", tolerate: 1}, call: test.fail, on_error: continue}
    tip:
      needs: [ask, post, nothing, some, worse]
      prompt: say
      with: {text: "{{ ask | map(attribute='text') | join(' ') }} {{ some }} {{ calc }}"}
    """,
    "tip: '{{ tip.text }}', nothing: '{{ nothing }}'",
)
DOOMED_MAP = _case(
    "doomed-map",
    """
    each:
      foreach: {in: "range(6)", max_parallel: 2, tolerate: 1}
      call: test.count
      with: {name: "{{ 'bad' if item in [1, 4] else 'good' }}", value: "{{ item }}"}
    other: {prompt: say, with: {text: other}}
    tip: {needs: [each, other], call: test.echo, with: {value: "{{ each }}"}}
    """,
    "tip: '{{ tip }}'",
    doomed=frozenset({"each"}),
    mend=_mend,
)
RETRIES = _case(
    "retries",
    """
    flaky: {prompt: say, with: {text: one}, retry: {attempts: 3, backoff: {initial: 2s}}}
    patient:
      call: test.fail
      retry: {attempts: 3, backoff: {initial: 20s, factor: 3}}
      fallback: {value: "{{ event.data.text }}"}
    quick: {call: test.fail, retry: {attempts: 4, backoff: {initial: 1s}}, on_error: continue}
    refused: {prompt: never, with: {text: hi}, fallback: {prompt: say}}
    replaced:
      needs: flaky
      prompt: say
      with: {text: "not you"}
      retry: {attempts: 2, backoff: {initial: 15s}}
      fallback: {model: other-model}
    broken: {needs: flaky, call: test.fail, fallback: {step: spare}}
    spare: {prompt: say, with: {text: "spare {{ flaky.text }}"}}
    each:
      foreach: {in: "range(3)", max_parallel: 2}
      call: test.fail_if
      with: {broken: "{{ item == 1 }}", value: "{{ item }}"}
      retry: {attempts: 2, backoff: {initial: 12s}}
      fallback: {value: {n: "{{ item }}"}}
    tip:
      needs: [patient, quick, refused, replaced, broken, each]
      prompt: say
      with:
        text: "{{ patient }} {{ refused.text }} {{ replaced.text }} {{ broken.text }} {{ each }}"
    """,
    "tip: '{{ tip.text }}', broken: '{{ broken.text }}'",
    answers={"never": ModelRefusedError("never"), "say": _but_not_to_you},
)
WAITS = _case(
    "waits",
    """
    a: {prompt: say, with: {text: one}}
    early: {needs: a, wait: {for: signal}}
    ask: {wait: {for: approval, approvers: [ada]}}
    no: {needs: a, wait: {for: approval}, on_error: {goto: sorry}}
    sorry: {call: test.echo, with: {value: sorry}}
    nap: {needs: a, wait: {for: duration, duration: 90s}}
    never: {wait: {for: signal, timeout: 2m, on_timeout: continue}}
    late: {wait: {for: signal, timeout: 1m, on_timeout: {step: remind}}}
    remind: {call: test.echo, with: {value: please}}
    valued: {needs: nap, wait: {for: signal, timeout: 1m}, fallback: {value: none}}
    paid:
      needs: a
      wait: {for: event, type: order.paid, key: event.data.run, equals: "{{ run.id }}"}
    off: {when: "false", wait: {for: approval}}
    tip:
      needs: [early, ask, sorry, nap, never, remind, valued, paid, off]
      prompt: say
      with: {text: "{{ early.data }} {{ ask.by }} {{ sorry }} {{ never }} {{ paid.type }}"}
    """,
    "tip: '{{ tip.text }}', valued: '{{ valued }}', late: '{{ late }}'",
    told=(
        Told("waits", "early", data=7),
        Told("waits", "ask", data={"approved": True}, by="ada"),
        Told("waits", "no", data={"approved": False, "comment": "no"}),
        Told("waits", "order.paid", happens=True),
    ),
)
FAMILY = _case(
    "family",
    FAMILY_STEPS,
    "tip: '{{ tip }}', gone: '{{ gone.run_id is string }}'",
    MIDDLE,
    LAST,
)
DOOMED_CHILD = _case(
    "doomed-child",
    DOOMED_STEPS,
    "tip: '{{ tip }}'",
    MANAGER,
    BAD,
    doomed=frozenset({"bad"}),
    mend=_mend,
)
ORDERED = _case("ordered", CROWD, "told: '{{ tell | length }}'", ONE_BY_ONE)
LIMITED = _case("limited", CROWD, "told: '{{ tell | length }}'", TWO_AT_ONCE)
BATCHED = _case("batched", CROWD, "told: '{{ tell | length }}'", TOGETHER)
CASES = (
    CHAIN,
    DIAMOND,
    JOIN,
    DOOMED,
    HURRIED,
    RELAY,
    JOKE,
    TYPED,
    SUPPORT,
    RACE,
    PROVIDED,
    EARLY,
    MAPS,
    DOOMED_MAP,
    RETRIES,
    WAITS,
    FAMILY,
    DOOMED_CHILD,
    ORDERED,
    LIMITED,
    BATCHED,
    UNDONE,
    THRIFTY,
    AGENT,
    SHELF,
    RELABELLED,
    MODELS,
)
