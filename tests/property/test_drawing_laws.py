"""Laws of drawn flows, over random graphs: nothing lies on anything else, nothing gets lost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any
from xml.etree.ElementTree import fromstring

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cli.graph.card import Card, card_of
from shared.cli.graph.layout import Box, Layout, Point, arrange
from shared.cli.graph.mermaid import mermaid_of
from shared.cli.graph.model import Graph
from shared.cli.graph.reading import graph_of
from shared.cli.graph.svg import svg_of
from shared.domain.version import FlowVersion

CLEAR = 4.0  # pixels between a link and a node that it only passes
SLACK = 1e-6  # pixels
PARTS = 8  # of a piece of a way, looked at one by one


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 20))
    steps: dict[str, Any] = {}
    for at in range(count):
        before = st.sampled_from([f"s{n}" for n in range(at)]) if at else st.nothing()
        needs = draw(st.lists(before, max_size=3, unique=True)) if at else []
        step: dict[str, Any] = {"action": "log.write", "needs": needs}
        if draw(st.booleans()):
            step["when"] = "event.data.x == " + "x" * draw(st.sampled_from([1, 30, 90]))
        if at and draw(st.booleans()):
            steps[f"s{draw(st.integers(0, at - 1))}"]["on_error"] = {"goto": f"s{at}"}
        steps[f"s{at}"] = {**step, "finish": draw(st.booleans())}
    flow = {"flow": "f", "on": {"event": "t"}, "steps": steps}
    return graph_of(FlowVersion.model_validate({"flow": flow}))


def laid_out(graph: Graph) -> tuple[list[Card], Layout]:
    cards = [card_of(node) for node in graph.nodes]
    return cards, arrange(cards, graph.links)


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def is_on(point: Point, box: Box, *, is_turned: bool) -> bool:
    """Whether a point lies on a node, or so close beside it that it seems to."""
    beside, before = (0.0, CLEAR) if is_turned else (CLEAR, 0.0)
    x, y = point
    return (
        box.x - beside + SLACK < x < box.x + box.width + beside - SLACK
        and box.y - before + SLACK < y < box.y + box.height + before - SLACK
    )


def traced(points: tuple[Point, ...], *, is_turned: bool) -> Iterator[Point]:
    """Points along a way as it is drawn: straight pieces and bends, in turn."""
    for number, (start, end) in enumerate(pairwise(points)):
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        if is_turned:
            near, far = (middle[0], start[1]), (middle[0], end[1])
        else:
            near, far = (start[0], middle[1]), (end[0], middle[1])
        for step in range(PARTS + 1):
            t = step / PARTS
            if number % 2 == 0:
                yield mixed((start, end), (1 - t, t))
            else:
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                yield mixed((start, near, far, end), weights)


def mixed(points: tuple[Point, ...], weights: tuple[float, ...]) -> Point:
    x = sum(weight * x for weight, (x, _) in zip(weights, points, strict=True))
    y = sum(weight * y for weight, (_, y) in zip(weights, points, strict=True))
    return x, y


@given(graphs())
@settings(max_examples=40)
def test_nodes_lie_apart_and_inside_the_picture(graph: Graph) -> None:
    cards, layout = laid_out(graph)
    assert set(layout.boxes) == {node.name for node in graph.nodes}
    for one, other in combinations(layout.boxes.values(), 2):
        assert not overlap(one, other)
    for card in cards:
        box = layout.boxes[card.node.name]
        assert box.width >= card.width - SLACK
        assert box.height >= card.height - SLACK
        assert min(box.x, box.y) >= -SLACK
        assert box.x + box.width <= layout.width + SLACK
        assert box.y + box.height <= layout.height + SLACK


@given(graphs())
@settings(max_examples=40)
def test_links_lead_from_node_to_node_and_around_the_others(graph: Graph) -> None:
    _, layout = laid_out(graph)
    assert [route.link for route in layout.routes] == list(graph.links)
    for route in layout.routes:
        ends = {route.link.source, route.link.target}
        for point in traced(route.points, is_turned=layout.is_turned):
            assert -SLACK <= point[0] <= layout.width + SLACK
            assert -SLACK <= point[1] <= layout.height + SLACK
            hit = {
                name
                for name, box in layout.boxes.items()
                if is_on(point, box, is_turned=layout.is_turned)
            }
            assert hit <= ends, hit


@given(graphs())
@settings(max_examples=15)
def test_links_go_with_the_flow_and_pictures_repeat(graph: Graph) -> None:
    _, layout = laid_out(graph)
    for route in layout.routes:
        along = [x if layout.is_turned else y for x, y in route.points]
        assert all(after >= before - SLACK for before, after in pairwise(along))
    assert laid_out(graph)[1] == layout


@given(graphs())
@settings(max_examples=15)
def test_whatever_the_flow_its_pictures_can_be_read(graph: Graph) -> None:
    assert fromstring(svg_of(graph)).tag.endswith("svg")
    assert mermaid_of(graph).count("\n") == 2 + len(graph.nodes) + len(graph.links)
