"""From annotations to the declared graph: each shape of flow, and the YAML that says the same."""

from __future__ import annotations

from shared.typed import Flow, step
from shared.typed.compile import declaration
from tests.unit.typed.vocabulary import A, Ask, B, C, Done, Gone, says, steps_of


def test_a_chain_needs_what_gives_its_event():
    class Chain(Flow[Ask, Done]):
        name, on = "chain", "asked"

        @step
        async def first(self, ask: Ask) -> A: ...

        @step
        def second(self, a: A) -> B: ...

        @step
        async def third(self, b: B) -> Done: ...

    says(
        Chain,
        """
        first: {call: chain.first, with: {ask: "{{ event.data }}"}}
        second: {needs: first, call: chain.second, with: {a: "{{ first }}"}}
        third: {needs: second, call: chain.third, with: {b: "{{ second }}"}}
        """,
    )
    assert declaration(Chain.shape)["outputs"] == {"text": "{{ third.text }}"}


def test_each_taker_of_a_union_runs_where_its_own_event_was_given():
    class Union(Flow[Ask, Done]):
        name, on = "union", "asked"

        @step
        async def choose(self, ask: Ask) -> A | B | C: ...

        @step
        async def a(self, a: A) -> Done: ...

        @step
        async def b(self, rest: B | C) -> Done: ...

    says(
        Union,
        """
        choose: {call: union.choose, with: {ask: "{{ event.data }}"}}
        a: {needs: choose, when: choose.event == "A", call: union.a, with: {a: "{{ choose }}"}}
        b: {needs: choose, when: 'choose.event in ["B", "C"]', call: union.b,
            with: {rest: "{{ choose }}"}}
        """,
    )
    outputs = declaration(Union.shape)["outputs"]
    assert outputs == {"text": "{{ a.text if a is defined else b.text }}"}


def test_several_parameters_wait_for_all_of_their_givers():
    class Join(Flow[Ask, Done]):
        name, on = "join", "asked"

        @step
        async def left(self, ask: Ask) -> A: ...

        @step
        async def right(self, ask: Ask) -> B | None: ...

        @step(on_error="continue")
        async def lucky(self, ask: Ask) -> C: ...

        @step
        async def both(self, ask: Ask, a: A, b: B, c: C) -> Done: ...

    assert steps_of(Join)["both"] == {
        "needs": ["left", "right", "lucky"],
        "when": 'right.event == "B" and lucky is defined',
        "call": "join.both",
        "with": {
            "ask": "{{ event.data }}",
            "a": "{{ left }}",
            "b": "{{ right }}",
            "c": "{{ lucky }}",
        },
    }
    assert steps_of(Join)["lucky"]["on_error"] == "continue"


def test_an_event_of_exclusive_branches_is_taken_from_whichever_was_taken():
    class Branches(Flow[Ask, Done]):
        name, on = "branches", "asked"

        @step
        async def choose(self, ask: Ask) -> A | B: ...

        @step
        async def way_a(self, a: A) -> C: ...

        @step
        async def way_b(self, b: B) -> C: ...

        @step
        async def last(self, c: C) -> Done: ...

    assert steps_of(Branches)["last"] == {
        "needs": ["way_a", "way_b"],
        "call": "branches.last",
        "with": {"c": "{{ way_a if way_a is defined else way_b }}"},
    }


def test_a_list_fans_out_and_is_collected_in_order():
    class Fan(Flow[Ask, Done]):
        name, on = "fan", "asked"

        @step
        async def split(self, ask: Ask) -> list[A | B]: ...

        @step(max_parallel=7, tolerate="10%", retry=2)
        async def each(self, a: A) -> C | None: ...

        @step
        async def gather(self, cs: list[C], bs: list[B]) -> Done: ...

    says(
        Fan,
        """
        split: {call: fan.split, with: {ask: "{{ event.data }}"}}
        each:
          needs: split
          foreach:
            in: split | selectattr("event", "equalto", "A") | list
            max_parallel: 7
            tolerate: 10%
          call: fan.each
          with: {a: "{{ item }}"}
          retry: {attempts: 2}
        gather:
          needs: [split, each]
          call: fan.gather
          with:
            cs: '{{ each | select | selectattr("event", "equalto", "C") | list }}'
            bs: '{{ split | selectattr("event", "equalto", "B") | list }}'
        """,
    )


def test_items_go_through_several_steps_with_something_that_is_there_once():
    class Line(Flow[Ask, Done]):
        name, on = "line", "asked"

        @step
        async def split(self, ask: Ask) -> list[A]: ...

        @step
        async def rules(self, ask: Ask) -> C: ...

        @step
        async def check(self, a: A, rules: C) -> B: ...

        @step
        async def polish(self, b: B) -> A2: ...

        @step
        async def gather(self, all_of_them: list[A2]) -> Done: ...

    steps = steps_of(Line)
    assert steps["check"] == {
        "needs": ["split", "rules"],
        "foreach": "split",
        "call": "line.check",
        "with": {"a": "{{ item }}", "rules": "{{ rules }}"},
    }
    assert steps["polish"]["foreach"] == "check"
    assert steps["gather"]["with"] == {"all_of_them": "{{ polish }}"}


class A2(A):
    """Another event with the fields of one."""


def test_a_list_of_what_parallel_branches_give_has_those_that_were_given():
    class Votes(Flow[Ask, Done]):
        name, on = "votes", "asked"

        @step
        async def one(self, ask: Ask) -> A: ...

        @step
        async def two(self, ask: Ask) -> A | None: ...

        @step
        async def count(self, votes: list[A]) -> Done: ...

    assert steps_of(Votes)["count"] == {
        "needs": ["one", "two"],
        "call": "votes.count",
        "with": {"votes": '{{ [one, (two if two.event == "A" else none)] | select | list }}'},
    }


def test_several_stop_events_are_told_apart_in_the_outputs():
    class Ends(Flow[Ask, Done | Gone]):
        name, on = "ends", "asked"

        @step
        async def look(self, ask: Ask) -> A | Gone: ...

        @step(finish=True)
        async def end(self, a: A) -> Done: ...

    assert declaration(Ends.shape)["outputs"] == {
        "event": '{{ look.event if look.event == "Gone" else end.event }}',
        "why": '{{ look.why if look.event == "Gone" else none }}',
        "text": '{{ none if look.event == "Gone" else end.text }}',
    }
    assert steps_of(Ends)["end"]["finish"] is True
