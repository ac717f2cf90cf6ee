"""Events of one key that come together, and flows that let their runs in one way or another."""

from __future__ import annotations

from tests.functional.system import flow

CROWD = """
    tell:
      foreach: {in: "range(3)"}
      action: event.publish
      with: {type: crowd.came, data: {key: "{{ event.data.text }}", n: "{{ item }}"}}
    """
ONE_BY_ONE = flow(
    """
    a: {call: test.echo, with: {value: "{{ event.data.n }}"}}
    b: {needs: a, prompt: say, with: {text: "{{ a }}"}}
    """,
    name="one-by-one",
    more="on: {event: crowd.came}\norder_by: event.data.key\noutputs: {b: '{{ b.text }}'}",
)
TWO_AT_ONCE = flow(
    """
    off: {when: event.data.n == 1, call: test.echo}
    a: {foreach: "[1, event.data.n]", call: test.echo, with: {value: "{{ item }}"}}
    b: {needs: [off, a], prompt: say, with: {text: "{{ a }}"}}
    """,
    name="two-at-once",
    more="""
    on: {event: crowd.came}
    concurrency: {limit: 2, key: event.data.key}
    rate: {limit: 2, per: 30s}
    outputs: {b: '{{ b.text }}'}
    """,
)
TOGETHER = flow(
    """
    a: {foreach: event.data.events, call: test.echo, with: {value: "{{ item.data.n }}"}}
    b: {needs: a, prompt: say, with: {text: "{{ a }}"}}
    """,
    name="together",
    more="""
    on: {batch: {event: crowd.came, size: 2, wait: 40s, key: event.data.key, adaptive: true}}
    outputs: {b: '{{ b.text }}'}
    """,
)
