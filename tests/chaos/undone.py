"""A flow that always fails: what its steps have done is undone, and its hook is started."""

from __future__ import annotations

from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case
from tests.functional.system import EVENT, echoing, flow, library

STEPS = """
    a: {prompt: say, with: {text: one}, compensate: {prompt: say, with: {text: "{{ a.text }}"}}}
    post:
      needs: a
      action: http.request
      with: {url: "https://example.com/{{ a.text | length }}"}
      compensate:
        action: http.request
        with: {url: "https://example.com/undo/{{ post.status }}/{{ event.data.n }}"}
        retry: {attempts: 2, backoff: {initial: 15s}}
    each:
      needs: post
      foreach: {in: "range(4)", max_parallel: 2, tolerate: 1}
      call: test.fail_if
      with: {broken: "{{ item == 1 }}", value: "{{ item * 2 }}"}
      compensate: {call: test.echo, with: {value: "{{ each + index + item }}"}}
    slow:
      needs: a
      prompt: say
      with: {text: slow}
      compensate: {call: test.fail, on_error: continue}
    free: {needs: a, call: test.echo}
    bad: {needs: [each, free], call: test.fail}
    """
TOLD = flow(
    "told: {call: test.echo, with: {value: '{{ event.data.flow }}'}}", name="told", more="on: call"
)
UNDONE = Case.revised(
    "undone",
    library(flow(STEPS, name="undone", more="on_failure: told"), TOLD),
    EVENT,
    {"n": 4},
    model=lambda: ScriptedModel(default=echoing),
    fails=frozenset({"undone"}),
)
