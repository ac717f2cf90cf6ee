"""Flows that open children, and those that are opened, for the cases."""

from __future__ import annotations

from tests.functional.system import flow

MIDDLE = flow(
    """
    first: {prompt: say, with: {text: "{{ event.data.n }}"}}
    kid: {needs: first, flow: last, with: {n: "{{ event.data.n * 2 }}"}}
    """,
    name="middle",
    more="on: call\noutputs: {n: '{{ kid.n }}'}",
)
LAST = flow(
    "work: {call: test.echo, with: {value: '{{ event.data.n + 1 }}'}}",
    name="last",
    more="on: call\noutputs: {n: '{{ work }}'}",
)
MANAGER = flow("kid: {flow: bad}", name="manager", more="on: call\noutputs: {n: '{{ kid.n }}'}")
BAD = flow(
    """
    first: {prompt: say, with: {text: first}}
    bad: {needs: first, call: test.count, with: {name: bad, value: 2}}
    """,
    name="bad",
    more="on: call\noutputs: {n: '{{ bad }}'}",
)
FAMILY_STEPS = """
    a: {prompt: say, with: {text: one}}
    kid: {needs: a, flow: middle, with: {n: 3}}
    kids:
      foreach: {in: "range(4)", max_parallel: 2}
      flow: last
      with: {n: "{{ item }}"}
    some:
      foreach: {in: "[1, 7, 3]", tolerate: 1}
      flow: last
      with: {n: "{{ item }}"}
    gone: {needs: a, flow: last, await: false, with: {n: 9}}
    tip:
      needs: [kid, kids, some, gone]
      call: test.echo
      with: {value: "{{ kid.n }} {{ kids | map(attribute='n') | list }} {{ some }}"}
    """
DOOMED_STEPS = """
    a: {prompt: say, with: {text: one}}
    kid: {needs: a, flow: manager}
    tip: {needs: kid, call: test.echo, with: {value: "{{ kid.n }}"}}
    """
