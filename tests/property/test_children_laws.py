"""Laws of children: whatever the tree, each is opened once, and what they came to is folded in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.records import RunRecord
from shared.domain.version import FlowVersion
from tests.functional.system import System, flow


@dataclass(frozen=True)
class Tree:
    """A flow that adds its own number to what its children come to, `times` over each."""

    own: int
    children: tuple[tuple[Tree, int], ...] = ()

    @property
    def total(self) -> int:
        return self.own + sum(child.total * times for child, times in self.children)

    @property
    def runs(self) -> int:
        return 1 + sum(child.runs * times for child, times in self.children)

    def flows(self, name: str) -> Iterator[FlowVersion]:
        """Its own flow and those below it; a child that is opened several times is mapped."""
        own = "own: {call: test.echo, with: {value: '{{ event.data.own }}'}}"
        lines, parts = [own], ["own"]
        for at, (child, times) in enumerate(self.children):
            needs = f"needs: c{at - 1}, " if at % 2 else ""
            each = f"foreach: range({times}), " if times != 1 else ""
            data = f"{{own: {child.own}}}"
            lines.append(f"c{at}: {{{needs}{each}flow: {name}-{at}, with: {data}}}")
            parts.append(f"(c{at} | map(attribute='n') | sum)" if each else f"c{at}.n")
            yield from child.flows(f"{name}-{at}")
        outputs = f'outputs: {{n: "{{{{ {" + ".join(parts)} }}}}"}}'
        yield flow("\n".join(lines), name=name, more=f"on: call\n{outputs}")


TREES = st.recursive(
    st.builds(Tree, st.integers(0, 9)),
    lambda below: st.builds(
        Tree,
        st.integers(0, 9),
        st.lists(st.tuples(below, st.sampled_from([1, 1, 0, 2])), max_size=3).map(tuple),
    ),
    max_leaves=5,
)


async def started(tree: Tree, seed: int) -> System:
    top = f"c: {{flow: t, with: {{own: {tree.own}}}}}"
    system = System([flow(top, more="outputs: {n: '{{ c.n }}'}"), *tree.flows("t")], seed=seed)
    await system.start()
    return system


@settings(max_examples=15)
@given(TREES, st.integers(0, 1000))
def test_every_child_is_opened_once_and_folded_in(tree: Tree, seed: int) -> None:
    system = asyncio.run(started(tree, seed))
    runs = system.stored("runs", RunRecord)
    assert len(runs) == 1 + tree.runs
    assert {run.status for run in runs} == {"succeeded"}
    assert len({run.correlation_id for run in runs}) == 1
    [top] = [run for run in runs if run.flow == "thing"]
    assert top.outputs == {"n": tree.total}
    places = [(run.parent.run_id, run.parent.step) for run in runs if run.parent]
    assert len(set(places)) == len(runs) - 1
